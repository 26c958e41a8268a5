//! Which buffers a kernel binds, and which overrides its text declares.

use super::{
    Access, Binding, Entry, Gradient, Kernel, PARAMS_BINDING, Program, SOFT_PARAMS_BINDING, Slot, Values, Variant,
};
use crate::loss::{Family, Terms};

impl Kernel {
    /// The kernel's storage buffers.
    pub fn bindings(&self) -> Vec<Binding> {
        let in_place = self.gradient == Gradient::InPlace;
        let line = |(slot, is_output): (Slot, bool)| {
            let (tensor, written) = (self.is_tensor(slot), is_output || (slot == Slot::Logits && in_place));
            Binding {
                slot,
                written,
                read_write: written || self.access == Access::Arena,
                tensor,
                storage: self.storage_override(slot),
                element: match slot {
                    Slot::Errors => "atomic<u32>",
                    Slot::SavedSums => "Sums",
                    Slot::SavedTerms => "Terms",
                    _ if tensor => self.width.element(written),
                    _ => "u32",
                },
            }
        };
        self.slots().into_iter().filter(|&(slot, _)| !(slot == Slot::Dlogits && in_place)).map(line).collect()
    }

    /// Slots, and whether the kernel writes them.
    fn slots(&self) -> Vec<(Slot, bool)> {
        use Slot::{
            Classes, Divisor, Dlogits, Dloss, Dtargets, Errors, Logits, RowState, RowWeights, SavedSums, SavedTerms,
            Side, TargetProbs, Targets, Teacher, TeacherIds, Terms, Truths, Values, Weights,
        };
        let (family, loss, entry, values) = match self.program {
            Program::SumValues => return vec![(Divisor, false), (Values, true), (Terms, false)],
            Program::SumTargetWeights => {
                return vec![(Targets, false), (Classes, false), (Values, true), (RowWeights, false)];
            }
            Program::SumRowWeights => return vec![(Values, true), (RowWeights, false)],
            Program::CountErrors => {
                return vec![(Targets, false), (Classes, false), (RowWeights, false), (Errors, true)];
            }
            Program::GatherTruths => {
                return vec![(Logits, false), (Targets, false), (Classes, false), (Truths, true)];
            }
            Program::Loss { family, loss, entry, values } => (family, loss, entry, values),
        };
        let inputs: &[Slot] = match family {
            // The log-probabilities are bound for the gradient that overwrites them.
            Family::GivenLogProb if entry.is_gathered() && self.gradient == Gradient::Separate => &[Classes],
            Family::ClassIndex | Family::Distillation { .. } if entry.is_finish() => &[Classes],
            Family::ClassIndex | Family::GivenLogProb | Family::Distillation { .. }
                if entry.is_gathered() || !entry.reads_labels(family) =>
            {
                &[Logits, Classes]
            }
            _ if entry.is_finish() => &[],
            Family::Softmax | Family::RowEntropy => &[Logits],
            Family::Distribution { .. } if !has_class_factors(loss) => &[Logits, Targets],
            Family::ClassIndex | Family::GivenLogProb | Family::Distribution { .. } | Family::Distillation { .. } => {
                &[Logits, Targets, Classes]
            }
            Family::Elementwise if reads_targets(loss) => &[Logits, Targets, Classes, Weights],
            Family::Elementwise => &[Logits, Classes, Weights],
        };
        let mut slots: Vec<_> = inputs.iter().map(|&slot| (slot, false)).collect();
        if entry.reads_upstream() {
            slots.push((Dloss, false));
        }
        if (family.has_mixed_divisors() && entry.writes_values())
            || (entry.writes_gradient() && family != Family::Softmax)
        {
            slots.push((Divisor, false));
        }
        if (entry.writes_state() || entry.reads_state()) && family.saves_state() {
            slots.push((RowState, entry.writes_state()));
        }
        if entry.writes_values() {
            slots.push((Values, true));
        }
        if entry.writes_gradient() {
            slots.push((Dlogits, true));
        }
        if self.weighs_rows() {
            slots.push((RowWeights, false));
        }
        if values == self::Values::SumsAndSide && entry.writes_values() {
            slots.push((Side, true));
        }
        if entry.writes_gradient() && family.has_teacher_gradient() {
            slots.push((Dtargets, true));
        }
        if entry.is_gathered() && !entry.reads_state() && family.saves_state() {
            slots.push((SavedSums, entry.is_accumulate()));
        }
        if entry.is_gathered() && entry.reads_labels(family) {
            slots.push((Truths, false));
        }
        if entry.is_add_terms() || matches!(entry, Entry::FinishTerms | Entry::BackwardTerms) {
            slots.push((SavedTerms, entry.is_add_terms()));
        }
        if self.has_soft_params() && !entry.is_finish() && !family.is_top_k() {
            slots.push((Teacher, false));
        }
        if family.is_top_k() && !entry.is_finish() {
            slots.push((TargetProbs, false));
        }
        if self.has_soft_params() && !entry.is_finish() && family.is_top_k() {
            slots.push((TeacherIds, false));
        }
        slots
    }

    /// Binding numbers of the uniform buffers: one `Params`, and one for the second part of a sum.
    pub fn uniforms(&self) -> &'static [u32] {
        if self.has_soft_params() { &[PARAMS_BINDING, SOFT_PARAMS_BINDING] } else { &[PARAMS_BINDING] }
    }

    /// Whether the second part of a sum has a `Params` of its own.
    pub(crate) fn has_soft_params(&self) -> bool {
        matches!(self.program, Program::Loss { family: Family::Distillation { .. }, .. })
    }

    /// Whether rows have weights. Beside side outputs and a gradient their binding would be the ninth: a plan then runs
    /// forward and backward one after the other. Those of a sum of losses are for devices that have more.
    pub(crate) fn weighs_rows(&self) -> bool {
        match self.program {
            Program::Loss { entry: Entry::ForwardBackward, values: Values::SumsAndSide, .. } => false,
            Program::Loss { entry: Entry::AddTerms, .. } => false,
            Program::Loss { family: Family::Distillation { .. }, values, .. } => values == Values::SumsAndSide,
            Program::Loss { family, .. } => family.weighs_rows(),
            Program::SumValues | Program::GatherTruths => false,
            Program::SumTargetWeights | Program::SumRowWeights | Program::CountErrors => true,
        }
    }

    /// Words of a row's sums between its windows of classes: those of the family's `Sums` in WGSL.
    pub fn sums_width(&self) -> usize {
        match self.program {
            Program::Loss { family: Family::ClassIndex, values: Values::SumsAndSide, .. } => 8,
            Program::Loss { family: Family::ClassIndex, .. } => 6,
            Program::Loss { family: Family::Softmax | Family::RowEntropy, .. } => 4,
            Program::Loss { family: Family::Distribution { .. }, values: Values::SumsAndSide, .. } => 12,
            Program::Loss { family: Family::Distribution { .. }, .. } => 10,
            Program::Loss { family: Family::Distillation { .. }, values: Values::SumsAndSide, .. } => 18,
            Program::Loss { family: Family::Distillation { .. }, .. } => 16,
            _ => 0,
        }
    }

    /// Whether what it reads or writes has a number for each class.
    pub(crate) fn reads_classes(&self) -> bool {
        !matches!(self.program, Program::Loss { entry, .. } if entry.is_finish())
    }

    /// The names of the overrides that the kernel's text declares.
    pub fn overrides(&self) -> Vec<&'static str> {
        let mut names = vec![
            "WORKGROUP_SIZE",
            "LANES",
            "CLASS_FACTORS",
            "LABEL_SMOOTHING",
            "TEMPERATURE",
            "SOFTCAP",
            "ROW_EXTRAS",
            "PYTORCH_CORNERS",
        ];
        if self.variant == Variant::Subgroup {
            names.extend(["SUBGROUP_MIN", "SUBGROUP_MAX"]);
        }
        match self.program {
            Program::Loss { family: Family::Elementwise, .. } => names.push("ELEMENT_WEIGHTS"),
            Program::Loss { family: Family::Distillation { .. }, entry, values, .. } => {
                names.push("soft_TEMPERATURE");
                names.extend((values == Values::SumsAndSide && !entry.reads_state()).then_some("hard_SIDE"));
            }
            Program::Loss { values: Values::SumsAndSide, .. } => names.push("SIDE"),
            Program::Loss { .. } | Program::GatherTruths => {}
            Program::SumValues | Program::SumTargetWeights | Program::SumRowWeights | Program::CountErrors => {
                names.push("TERMS_PER_LANE");
            }
        }
        names.extend((self.scales_upstream() && self.scales_elements()).then_some("UPSTREAM"));
        names.extend((self.kept_tiles > 0).then_some("KEPT_CLASSES"));
        names.extend(self.bindings().iter().filter_map(|binding| binding.storage));
        names
    }

    /// Whether an upstream gradient is a factor; a softmax has it as a tensor of its own.
    pub(super) fn scales_upstream(&self) -> bool {
        matches!(self.program, Program::Loss { family, entry, .. } if entry.reads_upstream() && family != Family::Softmax)
    }

    /// Whether an upstream gradient is looked up for each element.
    pub(super) fn scales_elements(&self) -> bool {
        matches!(self.program, Program::Loss { family, .. } if family == Family::Elementwise || family.is_per_class())
    }

    /// Whether a row's tiles may be named one by one, and stay in registers from the pass that sums over them to the one
    /// that writes the gradient. Those of a top-k teacher are long texts.
    pub(crate) fn may_keep_tiles(&self) -> bool {
        let Program::Loss { family, entry: Entry::Forward | Entry::ForwardBackward, .. } = self.program else {
            return false;
        };
        match family {
            _ if family.is_top_k() => false,
            Family::ClassIndex | Family::RowEntropy | Family::Distillation { .. } => true,
            Family::Distribution { terms, .. } => terms != Terms::PerElement,
            Family::Softmax | Family::GivenLogProb | Family::Elementwise => false,
        }
    }

    fn is_tensor(&self, slot: Slot) -> bool {
        let Program::Loss { family, values, .. } = self.program else {
            return self.program == Program::GatherTruths && slot == Slot::Logits;
        };
        match slot {
            Slot::Logits | Slot::Dlogits | Slot::Dtargets | Slot::Teacher => true,
            Slot::Targets => !family.has_labels() && !family.is_top_k(),
            Slot::Dloss => family == Family::Softmax,
            Slot::Values => values == Values::PerElement,
            _ => false,
        }
    }

    /// Tensors are stored as one likes, and so are an upstream gradient that has one number per element and a top-k
    /// teacher's numbers.
    fn storage_override(&self, slot: Slot) -> Option<&'static str> {
        let is_open = match (slot, self.program) {
            (Slot::TargetProbs, _) => true,
            (Slot::Dloss, Program::Loss { family, .. }) if family == Family::Elementwise || family.is_per_class() => {
                true
            }
            _ => self.is_tensor(slot),
        };
        if is_open && self.width.is_packed() { slot.storage_override() } else { None }
    }
}

/// Whether a loss of distributions has factors per class.
pub(super) fn has_class_factors(loss: &str) -> bool {
    loss == "soft_cross_entropy"
}

/// Whether an elementwise loss has targets.
pub(super) fn reads_targets(loss: &str) -> bool {
    loss != "distribution_entropy"
}
