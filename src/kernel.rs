//! What kernels exist, and their text: the only place that knows shader file names. A kernel is fragments joined in a
//! fixed order; a choice between kernels is a choice between files, never a condition in one.

use std::fmt::Write;

use crate::loss::{Family, Form};

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

/// What a loss puts out: a tensor of values, or one per row or workgroup.
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
}

impl Slot {
    /// Slots there are; they are numbered from 1.
    pub const COUNT: usize = Self::ALL.len();

    /// Every slot, by number.
    pub const ALL: [Slot; 10] = [
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
            Program::Loss { loss, family: Family::Distribution { student, teacher }, .. } => {
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
        if let Program::Loss { values: Values::PerElement, .. } = self.program {
            label += "/per_element";
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
            Family::ClassIndex | Family::Distribution { .. } => &[Logits, Targets, Classes],
            Family::Elementwise if loss == "distribution_entropy" => &[Logits, Classes, Weights],
            Family::Elementwise => &[Logits, Targets, Classes, Weights],
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
        }
        slots
    }

    fn is_tensor(&self, slot: Slot) -> bool {
        let Program::Loss { family, values, .. } = self.program else { return false };
        match slot {
            Slot::Logits | Slot::Dlogits => true,
            Slot::Targets => family != Family::ClassIndex,
            Slot::Dloss => family == Family::Softmax,
            Slot::Values => values == Values::PerElement,
            _ => false,
        }
    }

    /// The kernel's WGSL, without the `enable` lines that browsers want and naga refuses.
    pub fn source(&self) -> String {
        let mut source = String::new();
        let mut push = |fragment: Fragment, text: &str| {
            writeln!(source, "// ---- shaders/{}\n{text}", fragment.0).expect("a String takes all that is written");
        };
        for fragment in self.fragments() {
            push(fragment, fragment.1);
        }
        push(Fragment("(bindings)", ""), &self.binding_text());
        let (load, store) = self.width.fragments();
        for Binding { slot, written, tensor, .. } in self.bindings() {
            let in_place = slot == Slot::Logits && self.gradient == Gradient::InPlace;
            if tensor && (!written || in_place) {
                push(load, &load.1.replace("SLOT", slot.name()));
            }
            if in_place {
                push(store, &store.1.replace("SLOT", Slot::Dlogits.name()).replace("BUFFER", slot.name()));
            } else if tensor && written {
                push(store, &store.1.replace("SLOT", slot.name()).replace("BUFFER", slot.name()));
            }
        }
        for monoid in self.monoids() {
            let reduce = self.variant.reduce();
            push(reduce, &reduce.1.replace("MONOID", monoid));
        }
        if self.reads_single_logits() {
            push(self.width.single(), self.width.single().1);
        }
        source
    }

    fn binding_text(&self) -> String {
        let mut text = String::new();
        for Binding { slot, read_write, tensor, .. } in self.bindings() {
            let access = if read_write { "read_write" } else { "read" };
            let element = if tensor && self.width == Width::Four { "vec4<u32>" } else { "u32" };
            let (number, name) = (slot as u32, slot.name());
            writeln!(text, "@group(0) @binding({number}) var<storage, {access}> {name}: array<{element}>;")
                .expect("a String takes all that is written");
        }
        text
    }

    /// Types of partial results that lanes share.
    fn monoids(&self) -> &'static [&'static str] {
        let Program::Loss { family, entry, values, .. } = self.program else { return &["Total"] };
        match (family, entry) {
            (Family::Elementwise, Entry::Backward) => &[],
            (Family::Elementwise, _) if values == Values::PerElement => &[],
            (Family::Elementwise, _) => &["Total"],
            (Family::Softmax, _) => &["Sums"],
            (_, Entry::Backward) => &[],
            _ => &["Sums", "Total"],
        }
    }

    /// Class-index losses read the target's logit by itself.
    fn reads_single_logits(&self) -> bool {
        matches!(self.program, Program::Loss { family: Family::ClassIndex, .. })
    }

    fn fragments(&self) -> Vec<Fragment> {
        let mut list = vec![PARAMS, self.variant.lane(), TOTAL];
        if self.variant == Variant::Subgroup && self.monoids().contains(&"Total") {
            list.push(TOTAL_SHUFFLE);
        }
        match self.program {
            Program::SumValues => list.extend([SCALE_DIVISOR, SUM, SUM_VALUES]),
            Program::SumTargetWeights => list.extend([CLASS_FACTORS, SUM, SUM_TARGET_WEIGHTS]),
            Program::Loss { family, loss, entry, values } => {
                list.extend([MATH]);
                if entry != Entry::Forward && family != Family::Softmax {
                    list.extend([SCALE_DIVISOR, SCALE_UPSTREAM]);
                }
                if family != Family::Elementwise {
                    list.push(SOFTMAX_STATE);
                }
                if self.variant == Variant::Subgroup && self.monoids().contains(&"Sums") {
                    list.push(shuffle(family));
                }
                list.extend(family_fragments(family, loss, entry, values));
                if entry != Entry::Forward {
                    list.push(match self.gradient {
                        Gradient::Separate => GRADIENT_SEPARATE,
                        Gradient::InPlace => GRADIENT_IN_PLACE,
                    });
                }
            }
        }
        list
    }
}

/// A file under `shaders/` and its text.
#[derive(Clone, Copy)]
struct Fragment(&'static str, &'static str);

macro_rules! fragment {
    ($path:literal) => {
        Fragment($path, include_str!(concat!("../shaders/", $path)))
    };
}

const PARAMS: Fragment = fragment!("params.wgsl");
const MATH: Fragment = fragment!("math.wgsl");
const TOTAL: Fragment = fragment!("total.wgsl");
const TOTAL_SHUFFLE: Fragment = fragment!("total_shuffle.wgsl");
const SCALE_DIVISOR: Fragment = fragment!("scale/divisor.wgsl");
const SCALE_UPSTREAM: Fragment = fragment!("scale/upstream.wgsl");
const CLASS_FACTORS: Fragment = fragment!("class_factors.wgsl");
const SOFTMAX_STATE: Fragment = fragment!("softmax_state.wgsl");
const LANE_SUMS: Fragment = fragment!("lane_sums.wgsl");
const GRADIENT_SEPARATE: Fragment = fragment!("gradient/separate.wgsl");
const GRADIENT_IN_PLACE: Fragment = fragment!("gradient/in_place.wgsl");
const SUM: Fragment = fragment!("sum/sum.wgsl");
const SUM_VALUES: Fragment = fragment!("sum/values.wgsl");
const SUM_TARGET_WEIGHTS: Fragment = fragment!("sum/target_weights.wgsl");

impl Variant {
    fn lane(self) -> Fragment {
        match self {
            Variant::Workgroup => fragment!("reduce/lane_workgroup.wgsl"),
            Variant::Subgroup => fragment!("reduce/lane_subgroup.wgsl"),
        }
    }

    fn reduce(self) -> Fragment {
        match self {
            Variant::Workgroup => fragment!("reduce/workgroup.wgsl"),
            Variant::Subgroup => fragment!("reduce/subgroup.wgsl"),
        }
    }
}

impl Width {
    fn folder(self) -> &'static str {
        match self {
            Width::One => "f32",
            Width::Four => "f32x4",
        }
    }

    fn fragments(self) -> (Fragment, Fragment) {
        match self {
            Width::One => (fragment!("elem/f32/load.wgsl"), fragment!("elem/f32/store.wgsl")),
            Width::Four => (fragment!("elem/f32x4/load.wgsl"), fragment!("elem/f32x4/store.wgsl")),
        }
    }

    fn single(self) -> Fragment {
        match self {
            Width::One => fragment!("elem/f32/single.wgsl"),
            Width::Four => fragment!("elem/f32x4/single.wgsl"),
        }
    }
}

fn shuffle(family: Family) -> Fragment {
    match family {
        Family::Softmax => fragment!("softmax/shuffle.wgsl"),
        Family::ClassIndex => fragment!("class_index/shuffle.wgsl"),
        Family::Distribution { .. } => fragment!("distribution/shuffle.wgsl"),
        Family::RowEntropy => fragment!("row_entropy/shuffle.wgsl"),
        Family::Elementwise => unreachable!("an elementwise loss shares totals only"),
    }
}

/// The family's machinery, the loss's own file, and the way through the data.
fn family_fragments(family: Family, loss: &'static str, entry: Entry, values: Values) -> Vec<Fragment> {
    let mut list = match family {
        Family::Softmax => vec![fragment!("softmax/family.wgsl"), LANE_SUMS],
        Family::ClassIndex => vec![CLASS_FACTORS, fragment!("class_index/family.wgsl")],
        Family::RowEntropy => vec![],
        Family::Elementwise => vec![CLASS_FACTORS, fragment!("elementwise/family.wgsl")],
        Family::Distribution { student, teacher } => {
            vec![
                CLASS_FACTORS,
                student_fragment(student),
                teacher_fragment(teacher),
                fragment!("distribution/family.wgsl"),
            ]
        }
    };
    list.push(loss_fragment(loss));
    match family {
        Family::Softmax => list.extend(match entry {
            Entry::Forward => [fragment!("softmax/load_logits.wgsl"), fragment!("softmax/forward.wgsl")],
            Entry::ForwardBackward => {
                [fragment!("softmax/load_logits_and_g.wgsl"), fragment!("softmax/forward_backward.wgsl")]
            }
            Entry::Backward => [fragment!("softmax/load_logits_and_g.wgsl"), fragment!("softmax/backward.wgsl")],
        }),
        Family::Elementwise => list.extend(elementwise_fragments(loss, entry, values)),
        _ => list.extend(rows_fragments(entry)),
    }
    list
}

fn rows_fragments(entry: Entry) -> Vec<Fragment> {
    let (sums, value) = (fragment!("rows/sums.wgsl"), fragment!("rows/value.wgsl"));
    let gradient = fragment!("rows/gradient.wgsl");
    match entry {
        Entry::Forward => vec![LANE_SUMS, sums, value, fragment!("rows/forward.wgsl")],
        Entry::ForwardBackward => vec![LANE_SUMS, sums, value, gradient, fragment!("rows/forward_backward.wgsl")],
        Entry::Backward => vec![gradient, fragment!("rows/backward.wgsl")],
    }
}

fn elementwise_fragments(loss: &'static str, entry: Entry, values: Values) -> Vec<Fragment> {
    let targets = match loss {
        "distribution_entropy" => fragment!("elementwise/no_targets.wgsl"),
        _ => fragment!("elementwise/targets.wgsl"),
    };
    let written = match values {
        Values::PerElement => fragment!("elementwise/values.wgsl"),
        Values::Sums => fragment!("elementwise/sums.wgsl"),
    };
    let total = fragment!("elementwise/lane_total.wgsl");
    let (gradient, no_gradient) = (fragment!("elementwise/gradient.wgsl"), fragment!("elementwise/no_gradient.wgsl"));
    match entry {
        Entry::Forward => vec![targets, written, total, no_gradient, fragment!("elementwise/forward.wgsl")],
        Entry::ForwardBackward => {
            vec![targets, written, total, gradient, fragment!("elementwise/forward_backward.wgsl")]
        }
        Entry::Backward => vec![targets, gradient, fragment!("elementwise/backward.wgsl")],
    }
}

/// The registry of loss fragments: one line per loss.
fn loss_fragment(loss: &'static str) -> Fragment {
    match loss {
        "log_softmax" => fragment!("softmax/log_softmax.wgsl"),
        "softmax" => fragment!("softmax/softmax.wgsl"),
        "cross_entropy" => fragment!("class_index/cross_entropy.wgsl"),
        "softmax_focal" => fragment!("class_index/softmax_focal.wgsl"),
        "soft_cross_entropy" => fragment!("distribution/soft_cross_entropy.wgsl"),
        "kl_divergence" => fragment!("distribution/kl_divergence.wgsl"),
        "entropy" => fragment!("row_entropy/entropy.wgsl"),
        "binary_cross_entropy" => fragment!("elementwise/binary_cross_entropy.wgsl"),
        "sigmoid_focal" => fragment!("elementwise/sigmoid_focal.wgsl"),
        "distribution_entropy" => fragment!("elementwise/distribution_entropy.wgsl"),
        _ => unreachable!("every loss is registered"),
    }
}

fn student_fragment(student: Form) -> Fragment {
    match student {
        Form::Logits => fragment!("distribution/student_logits.wgsl"),
        _ => fragment!("distribution/student_log_probs.wgsl"),
    }
}

fn teacher_fragment(teacher: Form) -> Fragment {
    match teacher {
        Form::Logits => fragment!("distribution/teacher_logits.wgsl"),
        Form::LogProbs => fragment!("distribution/teacher_log_probs.wgsl"),
        Form::Probs => fragment!("distribution/teacher_probs.wgsl"),
    }
}

fn form_name(form: Form) -> &'static str {
    match form {
        Form::Logits => "logits",
        Form::LogProbs => "log_probs",
        Form::Probs => "probs",
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
        use Form::{LogProbs, Logits, Probs};
        let distribution = |student, teacher| Family::Distribution { student, teacher };
        let mut losses = vec![
            (Family::Softmax, "log_softmax", Values::PerElement),
            (Family::Softmax, "softmax", Values::PerElement),
            (Family::ClassIndex, "cross_entropy", Values::Sums),
            (Family::ClassIndex, "softmax_focal", Values::Sums),
            (distribution(Logits, Probs), "soft_cross_entropy", Values::Sums),
            (Family::RowEntropy, "entropy", Values::Sums),
            (Family::Elementwise, "distribution_entropy", Values::Sums),
        ];
        for student in [Logits, LogProbs] {
            for teacher in [Probs, LogProbs, Logits] {
                losses.push((distribution(student, teacher), "kl_divergence", Values::Sums));
            }
        }
        for loss in ["binary_cross_entropy", "sigmoid_focal"] {
            losses.push((Family::Elementwise, loss, Values::PerElement));
            losses.push((Family::Elementwise, loss, Values::Sums));
        }
        let entries = [Entry::Forward, Entry::ForwardBackward, Entry::Backward];
        let with_entries = losses
            .into_iter()
            .flat_map(|(family, loss, values)| entries.map(|entry| Program::Loss { family, loss, entry, values }));
        [Program::SumValues, Program::SumTargetWeights].into_iter().chain(with_entries).collect()
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
