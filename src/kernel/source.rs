//! A kernel's text: the only place that knows shader file names.

use std::fmt::Write;

use super::{
    Binding, Entry, Gradient, Kernel, Program, Slot, Values, Variant, Width, has_class_factors, reads_targets,
};
use crate::loss::{Family, Form, Gradients, Terms};

impl Kernel {
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
            (Family::Distribution { terms: Terms::PerElement, .. }, Entry::Forward) => &["Sums"],
            (Family::Distribution { terms: Terms::PerElement, .. }, Entry::Backward) => &["Total"],
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
pub(super) struct Fragment(&'static str, &'static str);

macro_rules! fragment {
    ($path:literal) => {
        Fragment($path, include_str!(concat!("../../shaders/", $path)))
    };
}

const PARAMS: Fragment = fragment!("params.wgsl");
const MATH: Fragment = fragment!("math.wgsl");
const TOTAL: Fragment = fragment!("total.wgsl");
const TOTAL_SHUFFLE: Fragment = fragment!("total_shuffle.wgsl");
const SCALE_DIVISOR: Fragment = fragment!("scale/divisor.wgsl");
const SCALE_UPSTREAM: Fragment = fragment!("scale/upstream.wgsl");
const CLASS_FACTORS: Fragment = fragment!("class_factors.wgsl");
const NO_CLASS_FACTORS: Fragment = fragment!("no_class_factors.wgsl");
const SOFTMAX_STATE: Fragment = fragment!("softmax_state.wgsl");
const NO_TRUTH: Fragment = fragment!("rows/no_truth.wgsl");
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
        Family::RowEntropy => vec![NO_TRUTH],
        Family::Elementwise => vec![CLASS_FACTORS, fragment!("elementwise/family.wgsl")],
        Family::Distribution { student, teacher, terms, .. } => {
            let mut list = vec![
                if has_class_factors(loss) { CLASS_FACTORS } else { NO_CLASS_FACTORS },
                NO_TRUTH,
                student_fragment(student),
                teacher_fragment(teacher),
                fragment!("distribution/family.wgsl"),
            ];
            list.extend(terms_fragments(terms));
            list
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
        Family::Distribution { terms: Terms::PerElement, .. } => list.extend(each_fragments(entry)),
        _ => list.extend(rows_fragments(family, entry)),
    }
    list
}

fn rows_fragments(family: Family, entry: Entry) -> Vec<Fragment> {
    let gradient = fragment!("rows/gradient.wgsl");
    let dtargets = match family.has_teacher_gradient() {
        true if entry == Entry::Forward => fragment!("distribution/forward_of_dtargets.wgsl"),
        true => fragment!("distribution/dtargets.wgsl"),
        false => fragment!("rows/no_dtargets.wgsl"),
    };
    if entry == Entry::Backward {
        return vec![dtargets, gradient, fragment!("rows/backward.wgsl")];
    }
    let reads = match family {
        Family::Distribution { terms: Terms::Normalised, .. } => fragment!("distribution/second_read.wgsl"),
        _ => fragment!("rows/one_read.wgsl"),
    };
    let mut list = vec![dtargets, LANE_SUMS, fragment!("rows/sums.wgsl"), reads, fragment!("rows/value.wgsl")];
    match entry {
        Entry::Forward => list.push(fragment!("rows/forward.wgsl")),
        _ => list.extend([gradient, fragment!("rows/forward_backward.wgsl")]),
    }
    list
}

fn each_fragments(entry: Entry) -> Vec<Fragment> {
    let (sums, values) = (fragment!("rows/sums.wgsl"), fragment!("distribution/each/values.wgsl"));
    let gradient = fragment!("distribution/each/gradient.wgsl");
    match entry {
        Entry::Forward => vec![LANE_SUMS, sums, values, fragment!("distribution/each/forward.wgsl")],
        Entry::ForwardBackward => {
            vec![LANE_SUMS, sums, values, gradient, fragment!("distribution/each/forward_backward.wgsl")]
        }
        Entry::Backward => {
            let no_values = fragment!("distribution/each/no_values.wgsl");
            vec![no_values, gradient, fragment!("distribution/each/backward.wgsl")]
        }
    }
}

fn elementwise_fragments(loss: &'static str, entry: Entry, values: Values) -> Vec<Fragment> {
    let targets = match reads_targets(loss) {
        true => fragment!("elementwise/targets.wgsl"),
        false => fragment!("elementwise/no_targets.wgsl"),
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

/// The registry: the losses that have a fragment, and the family whose machinery it plugs into. For a distribution the
/// forms are those it may be asked with.
pub(super) const LOSSES: &[(&str, Fragment, &[Family])] = {
    use Family::{ClassIndex, Elementwise, RowEntropy, Softmax};
    &[
        ("log_softmax", fragment!("softmax/log_softmax.wgsl"), &[Softmax]),
        ("softmax", fragment!("softmax/softmax.wgsl"), &[Softmax]),
        ("cross_entropy", fragment!("class_index/cross_entropy.wgsl"), &[ClassIndex]),
        ("softmax_focal", fragment!("class_index/softmax_focal.wgsl"), &[ClassIndex]),
        ("soft_cross_entropy", fragment!("distribution/soft_cross_entropy.wgsl"), SOFT_LABELS),
        ("kl_divergence", fragment!("distribution/kl_divergence.wgsl"), &EVERY_FORM[0]),
        ("kl_divergence", fragment!("distribution/kl_divergence.wgsl"), &EVERY_FORM[3]),
        ("kl_divergence", fragment!("distribution/kl_divergence.wgsl"), &EVERY_FORM[4]),
        ("reverse_kl_divergence", fragment!("distribution/reverse_kl_divergence.wgsl"), &EVERY_FORM[1]),
        ("jensen_shannon", fragment!("distribution/jensen_shannon.wgsl"), &EVERY_FORM[2]),
        ("total_variation", fragment!("distribution/total_variation.wgsl"), &EVERY_FORM[2]),
        ("entropy", fragment!("row_entropy/entropy.wgsl"), &[RowEntropy]),
        ("binary_cross_entropy", fragment!("elementwise/binary_cross_entropy.wgsl"), &[Elementwise]),
        ("sigmoid_focal", fragment!("elementwise/sigmoid_focal.wgsl"), &[Elementwise]),
        ("distribution_entropy", fragment!("elementwise/distribution_entropy.wgsl"), &[Elementwise]),
    ]
};

const SOFT_LABELS: &[Family] = &[every_form(Terms::MeanUnderTeacher, Gradients::Student)[0]];

/// What a divergence may be asked with, whatever its terms.
const EVERY_FORM: [[Family; 6]; 5] = [
    every_form(Terms::MeanUnderTeacher, Gradients::Student),
    every_form(Terms::MeanUnderStudent, Gradients::Student),
    every_form(Terms::Normalised, Gradients::Student),
    every_form(Terms::PerElement, Gradients::Student),
    every_form(Terms::MeanUnderTeacher, Gradients::Both),
];

const fn every_form(terms: Terms, gradients: Gradients) -> [Family; 6] {
    use Form::{LogProbs, Logits, Probs};
    [
        Family::Distribution { student: Logits, teacher: Probs, terms, gradients },
        Family::Distribution { student: Logits, teacher: LogProbs, terms, gradients },
        Family::Distribution { student: Logits, teacher: Logits, terms, gradients },
        Family::Distribution { student: LogProbs, teacher: Probs, terms, gradients },
        Family::Distribution { student: LogProbs, teacher: LogProbs, terms, gradients },
        Family::Distribution { student: LogProbs, teacher: Logits, terms, gradients },
    ]
}

fn loss_fragment(loss: &'static str) -> Fragment {
    let registered = LOSSES.iter().find(|(name, ..)| *name == loss);
    registered.expect("every loss is registered, as a test of every loss shows").1
}

fn terms_fragments(terms: Terms) -> Vec<Fragment> {
    let normalisers = fragment!("distribution/normalisers.wgsl");
    match terms {
        Terms::MeanUnderTeacher | Terms::MeanUnderStudent => vec![fragment!("distribution/mean.wgsl")],
        Terms::Normalised => vec![normalisers, fragment!("distribution/normalised.wgsl")],
        Terms::PerElement => vec![normalisers, fragment!("distribution/each/terms.wgsl")],
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
