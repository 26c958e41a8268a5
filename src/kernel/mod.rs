//! What kernels exist, what they bind, and their text. A kernel is fragments joined in a fixed order; a choice between
//! kernels is a choice between files, never a condition in one.

mod source;

use crate::loss::{Family, Form, Terms};

/// One kernel: its text is a function of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Kernel {
    /// What it computes.
    pub program: Program,
    /// How lanes share their partial results.
    pub variant: Variant,
    /// Elements a load or store moves at once.
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
    /// Labels to the weight of the rows they keep.
    SumTargetWeights,
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
}

/// What a loss puts out: a tensor of values, or one per row or workgroup. A backward pass puts out neither, and says
/// `Sums`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Values {
    /// One value per element.
    PerElement,
    /// One per row, or one per workgroup for a later sum.
    Sums,
}

/// How lanes share their partial results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Variant {
    /// Through workgroup memory: needs no optional feature.
    Workgroup,
    /// Through subgroup shuffles first: needs `wgpu::Features::SUBGROUP`.
    Subgroup,
}

/// Elements a load or store moves at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Width {
    /// 32 bits: any position, stride and number of classes.
    One,
    /// 128 bits: all of them multiples of four.
    Four,
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
    /// Labels `[N]`, or `[N, C]`.
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
    /// `[N, C]`: the gradient with respect to the targets.
    Dtargets = 11,
}

impl Slot {
    /// Slots there are; they are numbered from 1.
    pub const COUNT: usize = Self::ALL.len();

    /// Every slot, by number.
    pub const ALL: [Slot; 11] = [
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
        Slot::Dtargets,
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
            Slot::Dtargets => "dtargets",
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
    pub last_sum: bool,
    pub terms_per_lane: u32,
    pub subgroup_sizes: (u32, u32),
}

impl Kernel {
    /// The entry point's name.
    pub fn entry_point(&self) -> &'static str {
        match self.program {
            Program::Loss { entry: Entry::Forward, .. } => "forward",
            Program::Loss { entry: Entry::ForwardBackward, .. } => "forward_backward",
            Program::Loss { entry: Entry::Backward, .. } => "backward",
            Program::SumValues | Program::SumTargetWeights => "sum",
        }
    }

    /// The label of everything made for this kernel, e.g. `cross_entropy/forward_backward/subgroup/f32x4`.
    pub fn label(&self) -> String {
        let name = match self.program {
            Program::Loss { loss, family: Family::Distribution { student, teacher, .. }, .. } => {
                format!("{loss}.{}.{}", form_name(student), form_name(teacher))
            }
            Program::Loss { loss, .. } => loss.to_string(),
            Program::SumValues => "values".into(),
            Program::SumTargetWeights => "target_weights".into(),
        };
        let variant = match self.variant {
            Variant::Workgroup => "workgroup",
            Variant::Subgroup => "subgroup",
        };
        let mut label = format!("{name}/{}/{variant}/{}", self.entry_point(), self.width.folder());
        if let Program::Loss { values: Values::PerElement, .. }
        | Program::Loss { family: Family::Distribution { terms: Terms::PerElement, .. }, .. } = self.program
        {
            label += "/per_element";
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
        let line = |(slot, written): (Slot, bool)| Binding {
            slot,
            written: written || (slot == Slot::Logits && in_place),
            read_write: written || self.access == Access::Arena || (slot == Slot::Logits && in_place),
            tensor: self.is_tensor(slot),
        };
        self.slots().into_iter().filter(|&(slot, _)| !(slot == Slot::Dlogits && in_place)).map(line).collect()
    }

    /// Slots, and whether the kernel writes them.
    fn slots(&self) -> Vec<(Slot, bool)> {
        use Slot::*;
        let (family, loss, entry) = match self.program {
            Program::SumValues => return vec![(Divisor, false), (Values, true), (Terms, false)],
            Program::SumTargetWeights => return vec![(Targets, false), (Classes, false), (Values, true)],
            Program::Loss { family, loss, entry, .. } => (family, loss, entry),
        };
        let inputs: &[Slot] = match family {
            Family::Softmax | Family::RowEntropy => &[Logits],
            Family::Distribution { .. } if !has_class_factors(loss) => &[Logits, Targets],
            Family::ClassIndex | Family::Distribution { .. } => &[Logits, Targets, Classes],
            Family::Elementwise if reads_targets(loss) => &[Logits, Targets, Classes, Weights],
            Family::Elementwise => &[Logits, Classes, Weights],
        };
        let mut slots: Vec<_> = inputs.iter().map(|&slot| (slot, false)).collect();
        if entry != Entry::Forward {
            slots.push((Dloss, false));
            if family != Family::Softmax {
                slots.push((Divisor, false));
            }
        }
        if entry != Entry::ForwardBackward && family != Family::Elementwise {
            slots.push((RowState, entry == Entry::Forward));
        }
        if entry != Entry::Backward {
            slots.push((Values, true));
        }
        if entry != Entry::Forward {
            slots.push((Dlogits, true));
            if family.has_teacher_gradient() {
                slots.push((Dtargets, true));
            }
        }
        slots
    }

    fn is_tensor(&self, slot: Slot) -> bool {
        let Program::Loss { family, values, .. } = self.program else { return false };
        match slot {
            Slot::Logits | Slot::Dlogits | Slot::Dtargets => true,
            Slot::Targets => family != Family::ClassIndex,
            Slot::Dloss => family == Family::Softmax,
            Slot::Values => values == Values::PerElement,
            _ => false,
        }
    }
}

impl Kernel {
    /// Every kernel there is: what a test can hold against naga, and a script against a browser's compiler.
    pub fn all() -> Vec<Kernel> {
        let mut kernels = Vec::new();
        for program in Program::all() {
            for variant in [Variant::Workgroup, Variant::Subgroup] {
                for width in program.widths() {
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
        let mut programs = vec![Program::SumValues, Program::SumTargetWeights];
        for &(loss, _, families) in source::LOSSES {
            for &family in families {
                programs.push(Program::Loss { family, loss, entry: Entry::Backward, values: Values::Sums });
                for &values in output_kinds(family, loss) {
                    let entries = [Entry::Forward, Entry::ForwardBackward];
                    programs.extend(entries.map(|entry| Program::Loss { family, loss, entry, values }));
                }
            }
        }
        programs
    }

    fn widths(self) -> &'static [Width] {
        match self {
            Program::Loss { .. } => &[Width::One, Width::Four],
            _ => &[Width::One],
        }
    }

    fn gradients(self) -> &'static [Gradient] {
        match self {
            Program::Loss { entry: Entry::ForwardBackward | Entry::Backward, .. } => {
                &[Gradient::Separate, Gradient::InPlace]
            }
            _ => &[Gradient::Separate],
        }
    }
}

/// What a loss may put out: elementwise losses with targets both, by their reduction.
fn output_kinds(family: Family, loss: &str) -> &'static [Values] {
    match family {
        Family::Softmax | Family::Distribution { terms: Terms::PerElement, .. } => &[Values::PerElement],
        Family::Elementwise if reads_targets(loss) => &[Values::PerElement, Values::Sums],
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
