//! What kernels exist, what they bind, and their text. A kernel is fragments joined in a fixed order; a choice between
//! kernels is a choice between files, never a condition in one.

mod part;
mod source;

use crate::Storage;
use crate::loss::{Family, Form, Pass, Support, Terms};

/// One kernel: its text is a function of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kernel {
    /// What it computes.
    pub program: Program,
    /// How lanes share their partial results.
    pub variant: Variant,
    /// How tensors' elements are loaded and stored.
    pub width: Width,
    /// How inputs are bound.
    pub access: Access,
    /// Where the gradient goes.
    pub gradient: Gradient,
}

/// What a kernel computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Program {
    /// A pass of a loss.
    Loss {
        /// The machinery it runs through.
        family: Family,
        /// Its name, and that of its fragment.
        loss: &'static str,
        /// Which pass.
        entry: Entry,
        /// What it puts out.
        values: Values,
    },
    /// Values to their sum.
    SumValues,
    /// Labels and row weights to what the rows they keep count.
    SumTargetWeights,
    /// Row weights to what the rows they keep count.
    SumRowWeights,
    /// Labels and row weights to the number of rows they leave without a value.
    CountErrors,
    /// Labels and a window of classes to each label with its logit.
    GatherTruths,
}

/// The entry point for a [`crate::Pass`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Entry {
    /// Values and row state.
    Forward,
    /// Values and dlogits.
    ForwardBackward,
    /// Dlogits from row state.
    Backward,
    /// A window of classes to the sums over it and the classes before.
    Accumulate,
    /// A window of classes of rows whose sums are known to the loss terms over it and the classes before.
    AddTerms,
    /// Sums over all classes to values and row state.
    Finish,
    /// Sums and loss terms over all classes to values and row state.
    FinishTerms,
    /// Dlogits of a window of classes from row state, the label's logit from where it was gathered.
    BackwardGathered,
}

impl Entry {
    /// The pass over whole rows.
    pub(crate) fn of(pass: Pass) -> Entry {
        match pass {
            Pass::Forward => Entry::Forward,
            Pass::ForwardBackward => Entry::ForwardBackward,
            Pass::Backward => Entry::Backward,
        }
    }

    pub(crate) fn writes_gradient(self) -> bool {
        matches!(self, Entry::ForwardBackward | Entry::Backward | Entry::BackwardGathered)
    }

    pub(crate) fn writes_values(self) -> bool {
        matches!(self, Entry::Forward | Entry::ForwardBackward) || self.is_finish()
    }

    fn writes_state(self) -> bool {
        self == Entry::Forward || self.is_finish()
    }

    pub(crate) fn reads_state(self) -> bool {
        matches!(self, Entry::Backward | Entry::BackwardGathered)
    }

    /// Whether a row's values are made of what its windows of classes left, no class being read.
    pub(crate) fn is_finish(self) -> bool {
        matches!(self, Entry::Finish | Entry::FinishTerms)
    }

    /// Whether a row arrives as several windows of classes, and its label apart from them.
    pub(crate) fn is_gathered(self) -> bool {
        matches!(self, Entry::Accumulate | Entry::AddTerms | Entry::BackwardGathered) || self.is_finish()
    }

    fn name(self) -> &'static str {
        match self {
            Entry::Forward => "forward",
            Entry::ForwardBackward => "forward_backward",
            Entry::Backward => "backward",
            Entry::Accumulate => "accumulate",
            Entry::AddTerms => "add_terms",
            Entry::Finish => "finish",
            Entry::FinishTerms => "finish_terms",
            Entry::BackwardGathered => "backward_gathered",
        }
    }
}

/// What a loss puts out: a tensor of values, or one per row or workgroup. A backward pass puts out neither, and says
/// `Sums`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Values {
    /// One value per element.
    PerElement,
    /// One per row, or one per workgroup for a later sum.
    Sums,
    /// The same, and side outputs per row.
    SumsAndSide,
}

/// How lanes share their partial results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// Through workgroup memory: needs no optional feature.
    Workgroup,
    /// Through subgroup shuffles first: needs `wgpu::Features::SUBGROUP`.
    Subgroup,
}

/// How tensors' elements are loaded and stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Width {
    /// All f32, 32 bits at once: any position, stride and number of classes.
    One,
    /// All f32, 128 bits at once: all of them multiples of four.
    Four,
    /// Of any [`Storage`], two 16-bit numbers to a word: any position, stride and number of classes.
    Packed,
    /// Of any [`Storage`], 64 bits at once: all of them multiples of four.
    PackedFour,
    /// All f32, 32 bits at once, the classes of a row `inner` elements apart.
    Strided,
    /// Of any [`Storage`], one at a time, the classes of a row `inner` elements apart.
    PackedStrided,
}

/// How inputs are bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// Inputs `read`, outputs `read_write`.
    Split,
    /// Everything `read_write`: WebGPU lets slices of one buffer meet in a dispatch only so.
    Arena,
}

/// Where the gradient goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gradient {
    /// To a slice of its own.
    Separate,
    /// One binding serves logits and dlogits.
    InPlace,
}

/// A storage buffer binding; its number is the same in every kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Slot {
    /// `[N, C]`; written by gradients in place.
    Logits = 1,
    /// Labels `[N]` or `[N, k]`, or `[N, C]`.
    Targets = 2,
    /// Factors per class, or one for all.
    Classes = 3,
    /// Factors per element, broadcast by strides.
    Weights = 4,
    /// Upstream gradient: scalar, per row or per element.
    Dloss = 5,
    /// The divisor, or parts of it to add up.
    Divisor = 6,
    /// What a backward pass starts from.
    RowState = 7,
    /// Values per element, row or workgroup.
    Values = 8,
    /// `[N, C]`.
    Dlogits = 9,
    /// What a sum adds up.
    Terms = 10,
    /// A weight per row.
    RowWeights = 11,
    /// Side outputs per row.
    Side = 12,
    /// The counter of rows that labels or row weights leave without a value.
    Errors = 13,
    /// `[N, C]`: the gradient with respect to the targets.
    Dtargets = 14,
    /// What a family sums over the classes of a row, between its windows of classes.
    SavedSums = 15,
    /// Labels and their logits, two words a row.
    Truths = 16,
    /// What a second read of a row sums over its classes, between its windows of classes.
    SavedTerms = 17,
    /// `[N, C]`: what the student is held against beside labels.
    Teacher = 18,
    /// `[N, k]`: what a top-k teacher has at the classes it names.
    TargetProbs = 19,
}

/// The uniform buffer of the step's `Params`.
pub(crate) const PARAMS_BINDING: u32 = 0;
/// The uniform buffer of the `Params` that a sum's second part has, well clear of the slots.
pub(crate) const SOFT_PARAMS_BINDING: u32 = 64;

impl Slot {
    /// Slots there are; they are numbered from 1.
    pub const COUNT: usize = Self::ALL.len();

    /// Every slot, by number.
    pub const ALL: [Slot; 19] = [
        Slot::Logits,
        Slot::Targets,
        Slot::Classes,
        Slot::Weights,
        Slot::Dloss,
        Slot::Divisor,
        Slot::RowState,
        Slot::Values,
        Slot::Dlogits,
        Slot::Terms,
        Slot::RowWeights,
        Slot::Side,
        Slot::Errors,
        Slot::Dtargets,
        Slot::SavedSums,
        Slot::Truths,
        Slot::SavedTerms,
        Slot::Teacher,
        Slot::TargetProbs,
    ];

    /// The name in WGSL, in errors and in the API.
    pub const fn name(self) -> &'static str {
        match self {
            Slot::Logits => "logits",
            Slot::Targets => "targets",
            Slot::Classes => "classes",
            Slot::Weights => "weights",
            Slot::Dloss => "dloss",
            Slot::Divisor => "divisor",
            Slot::RowState => "row_state",
            Slot::Values => "values",
            Slot::Dlogits => "dlogits",
            Slot::Terms => "terms",
            Slot::RowWeights => "row_weights",
            Slot::Side => "side",
            Slot::Errors => "errors",
            Slot::Dtargets => "dtargets",
            Slot::SavedSums => "saved_sums",
            Slot::Truths => "truths",
            Slot::SavedTerms => "saved_terms",
            Slot::Teacher => "teacher",
            Slot::TargetProbs => "target_probs",
        }
    }

    /// The override that says how the slot's numbers are stored, where it can be a tensor.
    const fn storage_override(self) -> Option<&'static str> {
        match self {
            Slot::Logits => Some("logits_storage"),
            Slot::Targets => Some("targets_storage"),
            Slot::Dloss => Some("dloss_storage"),
            Slot::Values => Some("values_storage"),
            Slot::Dlogits => Some("dlogits_storage"),
            Slot::Dtargets => Some("dtargets_storage"),
            Slot::Teacher => Some("teacher_storage"),
            Slot::TargetProbs => Some("target_probs_storage"),
            _ => None,
        }
    }
}

/// One line of a kernel's binding table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding {
    /// Its number and name.
    pub slot: Slot,
    /// Whether the kernel writes it.
    pub written: bool,
    /// Whether WGSL declares it `read_write`.
    pub read_write: bool,
    /// Whether it is a tensor `[N, C]`, moved in tiles of four.
    pub tensor: bool,
    /// The override that names its [`Storage`], where the kernel leaves that open.
    pub storage: Option<&'static str>,
    /// Elements of the WGSL array.
    pub element: &'static str,
}

/// Values of a kernel's overrides: numbers, not text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Constants {
    pub workgroup_size: u32,
    pub lanes: u32,
    pub per_row: bool,
    pub class_factors: bool,
    pub label_smoothing: bool,
    pub temperature: bool,
    pub softcap: bool,
    /// Of the second part of a sum.
    pub soft_temperature: bool,
    pub row_extras: bool,
    pub side: u32,
    pub row_count: u32,
    pub last_sum: bool,
    pub empty_mean_is_zero: bool,
    pub pytorch_corners: bool,
    pub terms_per_lane: u32,
    pub subgroup_sizes: (u32, u32),
    /// By slot, where the kernel leaves it open.
    pub storage: [Storage; Slot::COUNT],
}

impl Constants {
    /// Rows that a workgroup stands on.
    pub fn rows_per_group(&self) -> u64 {
        (self.workgroup_size / self.lanes).into()
    }

    /// The overrides that the kernel's text declares, by name.
    pub fn overrides(&self, kernel: Kernel) -> Vec<(&'static str, f64)> {
        let value = |name| match name {
            "WORKGROUP_SIZE" => self.workgroup_size.into(),
            "LANES" => self.lanes.into(),
            "PER_ROW" => u32::from(self.per_row).into(),
            "CLASS_FACTORS" => u32::from(self.class_factors).into(),
            "LABEL_SMOOTHING" => u32::from(self.label_smoothing).into(),
            "TEMPERATURE" => u32::from(self.temperature).into(),
            "SOFTCAP" => u32::from(self.softcap).into(),
            "soft_TEMPERATURE" => u32::from(self.soft_temperature).into(),
            "ROW_EXTRAS" => u32::from(self.row_extras).into(),
            "SIDE" => self.side.into(),
            "ROW_COUNT" => self.row_count.into(),
            "FINAL" => u32::from(self.last_sum).into(),
            "EMPTY_MEAN_IS_ZERO" => u32::from(self.empty_mean_is_zero).into(),
            "PYTORCH_CORNERS" => u32::from(self.pytorch_corners).into(),
            "TERMS_PER_LANE" => self.terms_per_lane.into(),
            "SUBGROUP_MIN" => self.subgroup_sizes.0.into(),
            "SUBGROUP_MAX" => self.subgroup_sizes.1.into(),
            _ => {
                let slot = Slot::ALL.into_iter().find(|slot| slot.storage_override() == Some(name));
                (self.storage[slot.expect("a name from the kernel's list") as usize - 1] as u32).into()
            }
        };
        kernel.overrides().into_iter().map(|name| (name, value(name))).collect()
    }
}

impl Kernel {
    /// The entry point's name.
    pub fn entry_point(&self) -> &'static str {
        match self.program {
            Program::Loss { entry: Entry::Finish | Entry::FinishTerms, .. } => "forward",
            Program::Loss { entry: Entry::BackwardGathered, .. } => "backward",
            Program::Loss { entry, .. } => entry.name(),
            Program::SumValues | Program::SumTargetWeights | Program::SumRowWeights => "sum",
            Program::CountErrors => "count",
            Program::GatherTruths => "gather",
        }
    }

    /// The label of everything made for this kernel, e.g. `cross_entropy/forward_backward/subgroup/f32x4`.
    pub fn label(&self) -> String {
        let name = match self.program {
            Program::Loss { loss, family: Family::Distribution { student, teacher, support, .. }, .. } => {
                let support = if support == Support::TopK { "top_k_" } else { "" };
                format!("{loss}.{}.{support}{}", form_name(student), form_name(teacher))
            }
            Program::Loss { loss, family: Family::Distillation { soft, teacher, .. }, .. } => {
                format!("{loss}.{soft}.{}", form_name(teacher))
            }
            Program::Loss { loss, .. } => loss.to_string(),
            Program::SumValues => "values".into(),
            Program::SumTargetWeights => "target_weights".into(),
            Program::SumRowWeights => "row_weights".into(),
            Program::CountErrors => "errors".into(),
            Program::GatherTruths => "truths".into(),
        };
        let pass = match self.program {
            Program::Loss { entry, .. } => entry.name(),
            _ => self.entry_point(),
        };
        let variant = match self.variant {
            Variant::Workgroup => "workgroup",
            Variant::Subgroup => "subgroup",
        };
        let mut label = format!("{name}/{pass}/{variant}/{}", self.width.folder());
        if let Program::Loss { values, family, .. } = self.program {
            label += match values {
                _ if family.is_per_class() => "/per_element",
                Values::PerElement => "/per_element",
                Values::Sums => "",
                Values::SumsAndSide => "/side",
            };
        }
        if let Program::Loss { family, .. } = self.program
            && family.has_teacher_gradient()
        {
            label += "/dtargets";
        }
        if self.access == Access::Arena {
            label += "/arena";
        }
        if self.gradient == Gradient::InPlace {
            label += "/in_place";
        }
        label
    }

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
            Side, TargetProbs, Targets, Teacher, Terms, Truths, Values, Weights,
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
            Family::ClassIndex if entry.is_finish() => &[Classes],
            Family::ClassIndex | Family::GivenLogProb if entry.is_gathered() => &[Logits, Classes],
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
        if entry.writes_gradient() {
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
            slots.push((SavedSums, entry == Entry::Accumulate));
        }
        if entry.is_gathered() && family.has_labels() {
            slots.push((Truths, false));
        }
        if matches!(entry, Entry::AddTerms | Entry::FinishTerms) {
            slots.push((SavedTerms, entry == Entry::AddTerms));
        }
        if self.has_soft_params() {
            slots.push((Teacher, false));
        }
        if family.is_top_k() {
            slots.push((TargetProbs, false));
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
    /// forward and backward one after the other.
    pub(crate) fn weighs_rows(&self) -> bool {
        match self.program {
            Program::Loss { entry: Entry::ForwardBackward, values: Values::SumsAndSide, .. } => false,
            Program::Loss { entry: Entry::AddTerms, .. } => false,
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
            Program::Loss { family: Family::RowEntropy, .. } => 4,
            Program::Loss { family: Family::Distribution { .. }, .. } => 9,
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
            "PER_ROW",
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
            Program::Loss { values: Values::SumsAndSide, .. } => names.push("SIDE"),
            Program::Loss { family: Family::Distillation { .. }, .. } => names.push("soft_TEMPERATURE"),
            Program::Loss { .. } | Program::GatherTruths => {}
            Program::SumValues => names.extend(["TERMS_PER_LANE", "FINAL", "EMPTY_MEAN_IS_ZERO"]),
            Program::SumTargetWeights | Program::SumRowWeights => names.extend(["TERMS_PER_LANE", "ROW_COUNT"]),
            Program::CountErrors => names.push("TERMS_PER_LANE"),
        }
        names.extend(self.bindings().iter().filter_map(|binding| binding.storage));
        names
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

impl Kernel {
    /// Every kernel there is: what a test can hold against naga, and a script against a browser's compiler.
    pub fn all() -> Vec<Kernel> {
        let mut kernels = Vec::new();
        for program in Program::all() {
            for variant in [Variant::Workgroup, Variant::Subgroup] {
                for width in program.widths(variant) {
                    for access in [Access::Split, Access::Arena] {
                        for &gradient in program.gradients() {
                            kernels.push(Kernel { program, variant, width: *width, access, gradient });
                        }
                    }
                }
            }
        }
        kernels
    }
}

impl Program {
    fn all() -> Vec<Program> {
        let mut programs = vec![
            Program::SumValues,
            Program::SumTargetWeights,
            Program::SumRowWeights,
            Program::CountErrors,
            Program::GatherTruths,
        ];
        for &(loss, _, families) in source::LOSSES {
            for &family in families {
                let program = |(entry, values)| Program::Loss { family, loss, entry, values };
                programs.push(program((Entry::Backward, Values::Sums)));
                if family.has_labels() && !forward_by_class(family, loss, Pass::Backward).is_empty() {
                    programs.push(program((Entry::BackwardGathered, Values::Sums)));
                }
                for &values in output_kinds(family, loss) {
                    let mut entries = vec![Entry::Forward, Entry::ForwardBackward];
                    for pass in [Pass::Forward, Pass::ForwardBackward] {
                        let by_class = forward_by_class(family, loss, pass);
                        entries.extend(by_class.iter().filter(|entry| !entries.contains(entry)).collect::<Vec<_>>());
                    }
                    programs.extend(entries.into_iter().map(|entry| program((entry, values))));
                }
            }
        }
        programs
    }

    /// Neighbours in a subgroup stand on rows of their own where classes are strided: nothing to shuffle. A row in windows
    /// of classes is read as planes of one position if need be.
    fn widths(self, variant: Variant) -> &'static [Width] {
        use Width::{Four, One, Packed, PackedFour, PackedStrided, Strided};
        match (self, variant) {
            (Program::Loss { entry, .. }, Variant::Workgroup) if entry.is_finish() => &[One],
            (Program::Loss { entry, .. }, Variant::Workgroup) if entry.is_gathered() => &[Strided, PackedStrided],
            (Program::GatherTruths, Variant::Workgroup) => &[Strided, PackedStrided],
            (Program::Loss { entry, .. }, Variant::Subgroup) if entry.is_gathered() => &[],
            (Program::GatherTruths, Variant::Subgroup) => &[],
            (Program::Loss { .. }, Variant::Workgroup) => &[One, Four, Packed, PackedFour, Strided, PackedStrided],
            (Program::Loss { .. }, Variant::Subgroup) => &[One, Four, Packed, PackedFour],
            _ => &[One],
        }
    }

    fn gradients(self) -> &'static [Gradient] {
        match self {
            Program::Loss { entry, .. } if entry.writes_gradient() => &[Gradient::Separate, Gradient::InPlace],
            _ => &[Gradient::Separate],
        }
    }
}

/// The ways through windows of classes that make up a forward pass, or the part of a fused one before the gradient; none
/// for losses that need whole rows.
pub(crate) fn forward_by_class(family: Family, loss: &str, pass: Pass) -> &'static [Entry] {
    use Entry::{Accumulate, AddTerms, Finish, FinishTerms};
    match family {
        Family::GivenLogProb => &[Finish],
        Family::ClassIndex | Family::RowEntropy => &[Accumulate, Finish],
        Family::Distribution { terms: Terms::PerElement, .. } | Family::Distribution { support: Support::TopK, .. } => {
            &[]
        }
        Family::Softmax | Family::Elementwise | Family::Distillation { .. } => &[],
        _ if has_terms(family, loss, pass) => &[Accumulate, AddTerms, FinishTerms],
        Family::Distribution { .. } => &[Accumulate, Finish],
    }
}

/// Whether a second read sums loss terms: where the first one cannot, and beside a gradient where it cancels.
fn has_terms(family: Family, loss: &str, pass: Pass) -> bool {
    match family {
        Family::Distribution { terms: Terms::Normalised, .. } => true,
        Family::Distribution { student: Form::Logits, .. } => {
            pass == Pass::ForwardBackward && loss != "soft_cross_entropy"
        }
        _ => false,
    }
}

/// What a loss may put out: elementwise losses with targets both, by their reduction.
fn output_kinds(family: Family, loss: &str) -> &'static [Values] {
    match family {
        Family::Softmax | Family::Distribution { terms: Terms::PerElement, .. } => &[Values::PerElement],
        Family::Elementwise if reads_targets(loss) => &[Values::PerElement, Values::Sums],
        Family::ClassIndex => &[Values::Sums, Values::SumsAndSide],
        _ => &[Values::Sums],
    }
}

/// Whether a loss of distributions has factors per class.
fn has_class_factors(loss: &str) -> bool {
    loss == "soft_cross_entropy"
}

/// Whether an elementwise loss has targets.
fn reads_targets(loss: &str) -> bool {
    loss != "distribution_entropy"
}

impl Width {
    fn folder(self) -> &'static str {
        match self {
            Width::One => "f32",
            Width::Four => "f32x4",
            Width::Packed => "packed",
            Width::PackedFour => "packedx4",
            Width::Strided => "strided",
            Width::PackedStrided => "packed_strided",
        }
    }

    /// Whether the classes of a row are apart.
    pub(crate) fn is_strided(self) -> bool {
        matches!(self, Width::Strided | Width::PackedStrided)
    }

    /// Whether the storage of each tensor is left open.
    pub(crate) fn is_packed(self) -> bool {
        matches!(self, Width::Packed | Width::PackedFour | Width::PackedStrided)
    }

    /// What a tensor's binding is an array of. Two writers may meet in a word that holds two numbers.
    fn element(self, written: bool) -> &'static str {
        match self {
            Width::Packed | Width::PackedStrided if written => "atomic<u32>",
            Width::One | Width::Packed | Width::Strided | Width::PackedStrided => "u32",
            Width::Four => "vec4<u32>",
            Width::PackedFour => "vec2<u32>",
        }
    }
}

fn form_name(form: Form) -> &'static str {
    match form {
        Form::Logits => "logits",
        Form::LogProbs => "log_probs",
        Form::Probs => "probs",
    }
}
