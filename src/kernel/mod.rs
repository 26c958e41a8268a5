//! What kernels exist, what they bind, and their text. A kernel is fragments joined in a fixed order; a choice between
//! kernels is a choice between files, never a condition in one.

mod bindings;
mod constants;
mod family;
mod fragment;
mod list;
mod losses;
mod part;
mod slot;
mod source;

pub(crate) use constants::{Constants, Upstream};
pub(crate) use list::by_class;
pub use slot::{Binding, Slot};
pub(crate) use slot::{PARAMS_BINDING, SOFT_PARAMS_BINDING};

use crate::loss::{Family, Form, Pass, Support};

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
    /// Tiles of four classes that a lane keeps in registers from its first pass over a row to the second; 0: it reads
    /// the row again.
    pub kept_tiles: u32,
}

/// The most tiles that a lane keeps.
pub(crate) const KEPT_TILES: u32 = 4;

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
    /// The same, of logits and their upstream gradient.
    AccumulateUpstream,
    /// A window of classes of rows whose sums are known to the loss terms over it and the classes before.
    AddTerms,
    /// A window of classes of rows whose state is saved, and their upstream gradient, to the terms over it and the
    /// classes before.
    AddUpstream,
    /// Sums over all classes to values and row state.
    Finish,
    /// Sums and loss terms over all classes to values and row state.
    FinishTerms,
    /// Dlogits of a window of classes from row state, the label's logit from where it was gathered.
    BackwardGathered,
    /// Dlogits of a window of classes from row state and the terms over all classes.
    BackwardTerms,
    /// What the pass puts out for a window of classes, from the sums over all classes.
    FromSums(Pass),
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
        match self {
            Entry::ForwardBackward | Entry::Backward | Entry::BackwardGathered | Entry::BackwardTerms => true,
            Entry::FromSums(pass) => pass != Pass::Forward,
            _ => false,
        }
    }

    pub(crate) fn writes_values(self) -> bool {
        match self {
            Entry::Forward | Entry::ForwardBackward => true,
            Entry::FromSums(pass) => pass != Pass::Backward,
            _ => self.is_finish(),
        }
    }

    fn writes_state(self) -> bool {
        matches!(self, Entry::Forward | Entry::FromSums(Pass::Forward)) || self.is_finish()
    }

    /// Whether it adds a window of classes to what is kept of those before.
    fn is_accumulate(self) -> bool {
        matches!(self, Entry::Accumulate | Entry::AccumulateUpstream)
    }

    /// Whether it adds a window's terms to those of the classes before.
    fn is_add_terms(self) -> bool {
        matches!(self, Entry::AddTerms | Entry::AddUpstream)
    }

    /// Whether it reads an upstream gradient.
    fn reads_upstream(self) -> bool {
        self.writes_gradient() || matches!(self, Entry::AccumulateUpstream | Entry::AddUpstream)
    }

    pub(crate) fn reads_state(self) -> bool {
        matches!(self, Entry::Backward | Entry::BackwardGathered | Entry::AddUpstream | Entry::BackwardTerms)
    }

    /// Whether a row's label and its logit come by themselves: neither without labels nor where the row state has them.
    pub(crate) fn reads_labels(self, family: Family) -> bool {
        family.has_labels() && !(family.saves_label() && self.reads_state())
    }

    /// Whether a row's values are made of what its windows of classes left, no class being read.
    pub(crate) fn is_finish(self) -> bool {
        matches!(self, Entry::Finish | Entry::FinishTerms)
    }

    /// Whether a row arrives as several windows of classes, and its label apart from them.
    pub(crate) fn is_gathered(self) -> bool {
        matches!(self, Entry::BackwardGathered | Entry::BackwardTerms | Entry::FromSums(_))
            || self.is_accumulate()
            || self.is_add_terms()
            || self.is_finish()
    }

    fn name(self) -> &'static str {
        match self {
            Entry::Forward => "forward",
            Entry::ForwardBackward => "forward_backward",
            Entry::Backward => "backward",
            Entry::Accumulate => "accumulate",
            Entry::AccumulateUpstream => "accumulate_upstream",
            Entry::AddTerms => "add_terms",
            Entry::AddUpstream => "add_upstream",
            Entry::Finish => "finish",
            Entry::FinishTerms => "finish_terms",
            Entry::BackwardGathered => "backward_gathered",
            Entry::BackwardTerms => "backward_terms",
            Entry::FromSums(Pass::Forward) => "forward_from_sums",
            Entry::FromSums(Pass::ForwardBackward) => "forward_backward_from_sums",
            Entry::FromSums(Pass::Backward) => "backward_from_sums",
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
    /// The same, and side outputs per row; of a sum of losses, its row weights with them, in a backward pass those alone.
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
    /// All f32, two to a word of 64 bits: all of them multiples of two. For software adapters, which move a tensor word
    /// by word; needs `wgpu::Features::SHADER_INT64`, of which browsers have no like, and comes with subgroups alone.
    Pairs,
    /// The same, two words at once: all of them multiples of four.
    PairsFour,
    /// Of any [`crate::Storage`], two 16-bit numbers to a word: any position, stride and number of classes.
    Packed,
    /// Of any [`crate::Storage`], 64 bits at once: all of them multiples of four.
    PackedFour,
    /// All f32, 32 bits at once, the classes of a row `inner` elements apart.
    Strided,
    /// Of any [`crate::Storage`], one at a time, the classes of a row `inner` elements apart.
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

impl Kernel {
    /// The entry point's name.
    pub fn entry_point(&self) -> &'static str {
        match self.program {
            Program::Loss { entry: Entry::Finish | Entry::FinishTerms, .. } => "forward",
            Program::Loss { entry: Entry::BackwardGathered | Entry::BackwardTerms, .. } => "backward",
            Program::Loss { entry: Entry::AddUpstream, .. } => "add_terms",
            Program::Loss { entry: Entry::AccumulateUpstream, .. } => "accumulate",
            Program::Loss { entry: Entry::FromSums(pass), .. } => Entry::of(pass).name(),
            Program::Loss { entry, .. } => entry.name(),
            Program::SumValues | Program::SumTargetWeights | Program::SumRowWeights => "sum",
            Program::CountErrors => "count",
            Program::GatherTruths => "gather",
        }
    }

    /// What a device must have to run it.
    pub fn features(&self) -> wgpu::Features {
        let lanes = match self.variant {
            Variant::Workgroup => wgpu::Features::empty(),
            Variant::Subgroup => wgpu::Features::SUBGROUP,
        };
        let words = match self.width {
            Width::Pairs | Width::PairsFour => wgpu::Features::SHADER_INT64,
            _ => wgpu::Features::empty(),
        };
        lanes | words
    }

    /// The label of everything made for this kernel, e.g. `cross_entropy/forward_backward/subgroup/f32x4/kept2`.
    pub fn label(&self) -> String {
        let name = match self.program {
            Program::Loss { loss, family: Family::Distribution { student, teacher, support, .. }, .. } => {
                format!("{loss}.{}.{}", form_name(student), teacher_name(teacher, support))
            }
            Program::Loss { loss, family: Family::Distillation { hard, soft, teacher, support, .. }, .. } => {
                format!("{loss}.{hard}.{soft}.{}", teacher_name(teacher, support))
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
        if self.kept_tiles > 0 {
            label += &format!("/kept{}", self.kept_tiles);
        }
        label
    }
}

impl Width {
    fn folder(self) -> &'static str {
        match self {
            Width::One => "f32",
            Width::Four => "f32x4",
            Width::Pairs => "pairs",
            Width::PairsFour => "pairsx4",
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
            Width::Pairs => "u64",
            Width::PairsFour => "vec2<u64>",
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

fn teacher_name(teacher: Form, support: Support) -> String {
    let support = if support == Support::TopK { "top_k_" } else { "" };
    format!("{support}{}", form_name(teacher))
}
