//! The numbers and names of what kernels bind.

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
    /// `[N, k]`: the classes that the top-k teacher of a distillation names.
    TeacherIds = 20,
}

impl Slot {
    /// Slots there are; they are numbered from 1.
    pub const COUNT: usize = Self::ALL.len();

    /// Every slot, by number.
    pub const ALL: [Slot; 20] = [
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
        Slot::TeacherIds,
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
            Slot::TeacherIds => "teacher_ids",
        }
    }

    /// The override that says how the slot's numbers are stored, where it can be a tensor.
    pub(super) const fn storage_override(self) -> Option<&'static str> {
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

/// The uniform buffer of the step's `Params`.
pub(crate) const PARAMS_BINDING: u32 = 0;
/// The uniform buffer of the `Params` that a sum's second part has, well clear of the slots.
pub(crate) const SOFT_PARAMS_BINDING: u32 = 64;

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
    /// The override that names its [`crate::Storage`], where the kernel leaves that open.
    pub storage: Option<&'static str>,
    /// Elements of the WGSL array.
    pub element: &'static str,
}

impl Binding {
    /// Bytes of an element, unless it is a struct of the family's. A layout that knows them spares wgpu a look at
    /// every dispatch.
    pub fn element_bytes(&self) -> Option<u64> {
        match self.element {
            "u32" | "atomic<u32>" => Some(4),
            "vec2<u32>" | "u64" => Some(8),
            "vec4<u32>" | "vec2<u64>" => Some(16),
            _ => None,
        }
    }
}
