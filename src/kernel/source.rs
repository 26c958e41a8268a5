//! A kernel's text: the only place that knows shader file names.

use std::fmt::Write;

use super::{
    Binding, Entry, Gradient, Kernel, Program, Slot, Values, Variant, Width, has_class_factors, part, reads_targets,
};
use crate::loss::{Family, Form, Gradients, Support, Terms};

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
        for Part { name, outside, fragments } in self.parts() {
            let texts: Vec<_> = fragments.iter().map(|fragment| fragment.1).collect();
            for (fragment, text) in fragments.iter().zip(part::renamed(name, outside, &texts)) {
                push(*fragment, &text);
            }
        }
        push(Fragment("(bindings)", ""), &self.binding_text());
        if self.width.is_packed() {
            push(HALF, HALF.1);
        }
        for binding in self.bindings() {
            for (fragment, slot) in self.element_fragments(&binding) {
                let text = fragment.1.replace("SLOT", slot.name()).replace("BUFFER", binding.slot.name());
                push(fragment, &text);
            }
        }
        for monoid in self.monoids() {
            let reduce = self.variant.reduce();
            push(reduce, &reduce.1.replace("MONOID", monoid));
        }
        source
    }

    fn binding_text(&self) -> String {
        let mut text = String::new();
        for Binding { slot, read_write, element, storage, .. } in self.bindings() {
            let access = if read_write { "read_write" } else { "read" };
            let (number, name) = (slot as u32, slot.name());
            writeln!(text, "@group(0) @binding({number}) var<storage, {access}> {name}: array<{element}>;")
                .expect("a String takes all that is written");
            if let Some(storage) = storage {
                writeln!(text, "override {storage}: u32 = F32;").expect("a String takes all that is written");
            }
        }
        text
    }

    /// Types of partial results that lanes share.
    fn monoids(&self) -> &'static [&'static str] {
        let (family, entry, values) = match self.program {
            Program::Loss { family, entry, values, .. } => (family, entry, values),
            Program::CountErrors | Program::GatherTruths => return &[],
            _ => return &["Total"],
        };
        match (family, entry) {
            (_, Entry::Accumulate) => &["Sums"],
            (_, Entry::AddTerms | Entry::Finish | Entry::FinishTerms) => &["Total"],
            (Family::Elementwise, Entry::Backward) => &[],
            (Family::Elementwise, _) if values == Values::PerElement => &[],
            (Family::Elementwise, _) => &["Total"],
            (Family::GivenLogProb, Entry::Forward | Entry::ForwardBackward) => &["Total"],
            (Family::Softmax, _) => &["Sums"],
            (Family::Distribution { terms: Terms::PerElement, .. }, Entry::Forward) => &["Sums"],
            (Family::Distribution { terms: Terms::PerElement, .. }, Entry::Backward) => &["Total"],
            (_, Entry::Backward | Entry::BackwardGathered) if family.is_top_k() => &["Total"],
            (_, Entry::Backward | Entry::BackwardGathered) => &[],
            _ => &["Sums", "Total"],
        }
    }

    /// How a binding's elements are loaded and stored, and the slot that the functions are named after.
    fn element_fragments(&self, binding: &Binding) -> Vec<(Fragment, Slot)> {
        let Binding { slot, written, tensor, storage, .. } = *binding;
        let in_place = slot == Slot::Logits && self.gradient == Gradient::InPlace;
        let is_read = !written || in_place;
        let width = match (tensor, storage) {
            (true, _) => self.width,
            (false, Some(_)) => Width::Packed,
            (false, None) => Width::One,
        };
        let mut list = Vec::new();
        if is_read && matches!(width, Width::Packed | Width::PackedStrided) {
            list.push((if in_place { PACKED_WORD_IN_PLACE } else { PACKED_WORD }, slot));
        }
        if is_read && tensor {
            list.push((width.load(), slot));
        }
        if is_read && (self.reads_single(slot) || (tensor && width.is_strided())) {
            list.push((width.single(), slot));
        }
        if written && tensor {
            let named = if in_place { Slot::Dlogits } else { slot };
            list.extend(width.store().iter().map(|&fragment| (fragment, named)));
        }
        list
    }

    /// Losses of labels read the target's logit by itself; an upstream gradient is read so unless it is a tensor, and so
    /// are a top-k teacher's numbers.
    fn reads_single(&self, slot: Slot) -> bool {
        let Program::Loss { family, entry, .. } = self.program else { return false };
        match slot {
            Slot::Logits => family.has_labels() && !entry.is_gathered(),
            Slot::Dloss => family != Family::Softmax,
            Slot::TargetProbs => true,
            _ => false,
        }
    }

    fn fragments(&self) -> Vec<Fragment> {
        let mut list = vec![PARAMS, self.layout(), self.lane(), TOTAL];
        if self.variant == Variant::Subgroup && self.monoids().contains(&"Total") {
            list.push(TOTAL_SHUFFLE);
        }
        match self.program {
            Program::SumValues => list.extend([SCALE_DIVISOR, SUM, SUM_VALUES]),
            Program::SumTargetWeights => {
                list.extend([CLASS_FACTORS, LABEL, IGNORED, ROW_SHARE, SUM, SUM_TARGET_WEIGHTS]);
            }
            Program::SumRowWeights => list.extend([ROW_SHARE, SUM, SUM_ROW_WEIGHTS]),
            Program::CountErrors => list.extend([LABEL, IGNORED, COUNT_ERRORS]),
            Program::GatherTruths => list.extend([LABEL, IGNORED, TRUTH, GATHER]),
            Program::Loss { family, loss, entry, values } => {
                list.extend([MATH]);
                if entry.writes_gradient() && family != Family::Softmax {
                    list.extend([SCALE_DIVISOR, SCALE_UPSTREAM]);
                } else if family.has_mixed_divisors() && entry.writes_values() {
                    list.push(SCALE_DIVISOR);
                }
                if family.saves_state() && !self.has_soft_params() {
                    list.push(SOFTMAX_STATE);
                }
                if self.variant == Variant::Subgroup && self.monoids().contains(&"Sums") {
                    list.extend(shuffles(family, values));
                }
                list.extend(family_fragments(family, loss, entry, values));
                if self.weighs_rows() {
                    list.push(ROW_WEIGHTS);
                } else if family.weighs_rows() || self.has_soft_params() {
                    list.push(NO_ROW_WEIGHTS);
                    if entry.writes_values() {
                        list.push(UNWEIGHED);
                    }
                }
                if entry.writes_gradient() {
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
const HALF: Fragment = fragment!("elem/half.wgsl");
const PACKED_WORD: Fragment = fragment!("elem/packed/word.wgsl");
const PACKED_WORD_IN_PLACE: Fragment = fragment!("elem/packed/word_in_place.wgsl");
const PACKED_STORE_HALF: Fragment = fragment!("elem/packed/store_half.wgsl");
const STRIDED_STORE: Fragment = fragment!("elem/strided/store.wgsl");
const LABEL: Fragment = fragment!("label.wgsl");
const TOTAL: Fragment = fragment!("total.wgsl");
const TOTAL_SHUFFLE: Fragment = fragment!("total_shuffle.wgsl");
const SCALE_DIVISOR: Fragment = fragment!("scale/divisor.wgsl");
const SCALE_UPSTREAM: Fragment = fragment!("scale/upstream.wgsl");
const SCALE_KEPT: Fragment = fragment!("scale/kept.wgsl");
const NO_KEPT: Fragment = fragment!("scale/no_kept.wgsl");
const CLASS_FACTORS: Fragment = fragment!("class_factors.wgsl");
const IGNORED: Fragment = fragment!("class_index/ignored.wgsl");
const TRUTH: Fragment = fragment!("class_index/truth.wgsl");
const LOGIT_OF_TARGET: Fragment = fragment!("class_index/logit_of_target.wgsl");
const GATHER: Fragment = fragment!("class_index/gather.wgsl");
const GATHERED: Fragment = fragment!("class_index/gathered.wgsl");
const ROW_WEIGHTS: Fragment = fragment!("rows/weights.wgsl");
const NO_ROW_WEIGHTS: Fragment = fragment!("rows/no_weights.wgsl");
const UNWEIGHED: Fragment = fragment!("rows/unweighed.wgsl");
const NO_SIDE: Fragment = fragment!("side/silent.wgsl");
const ROW_SHARE: Fragment = fragment!("sum/row_share.wgsl");
const NO_CLASS_FACTORS: Fragment = fragment!("no_class_factors.wgsl");
const SOFTMAX_STATE: Fragment = fragment!("softmax_state.wgsl");
const SOFTMAX_MOMENT: Fragment = fragment!("softmax_moment.wgsl");
const NO_TRUTH: Fragment = fragment!("rows/no_truth.wgsl");
const LANE_TERMS: Fragment = fragment!("distribution/lane_terms.wgsl");
const LANE_SUMS: Fragment = fragment!("lane_sums.wgsl");
const GRADIENT_SEPARATE: Fragment = fragment!("gradient/separate.wgsl");
const GRADIENT_IN_PLACE: Fragment = fragment!("gradient/in_place.wgsl");
const SUM: Fragment = fragment!("sum/sum.wgsl");
const SUM_VALUES: Fragment = fragment!("sum/values.wgsl");
const SUM_TARGET_WEIGHTS: Fragment = fragment!("sum/target_weights.wgsl");
const SUM_ROW_WEIGHTS: Fragment = fragment!("sum/row_weights.wgsl");
const COUNT_ERRORS: Fragment = fragment!("sum/errors.wgsl");

/// One loss of a sum.
struct Part {
    /// What the names it declares begin with.
    name: &'static str,
    /// Names of its that are declared outside, and what they are there.
    outside: &'static [(&'static str, &'static str)],
    fragments: Vec<Fragment>,
}

/// What the text of a sum's second part means by names that are not declared in it.
const SOFT_NAMES: &[(&str, &str)] = &[
    ("params", "soft_params"),
    ("TEMPERATURE", "soft_TEMPERATURE"),
    ("SOFTCAP", "soft_SOFTCAP"),
    ("LABEL_SMOOTHING", "soft_LABEL_SMOOTHING"),
    ("load_targets", "load_teacher"),
];

impl Kernel {
    /// The parts of a sum of losses.
    fn parts(&self) -> Vec<Part> {
        let Program::Loss { family: Family::Distillation { soft, teacher, terms }, entry, .. } = self.program else {
            return Vec::new();
        };
        let shuffled = self.variant == Variant::Subgroup && entry != Entry::Backward;
        let hard = (Family::ClassIndex, "cross_entropy");
        let (student, support, gradients) = (Form::Logits, Support::Dense, Gradients::Student);
        let divergence = Family::Distribution { student, teacher, support, terms, gradients };
        let part = |(family, loss)| {
            let mut list = vec![SOFTMAX_STATE];
            list.extend(row_maths(family, loss, entry, Values::Sums));
            list.extend(load_fragments(family));
            if shuffled {
                list.extend(shuffles(family, Values::Sums));
            }
            list.push(loss_fragment(loss));
            list
        };
        let mut soft_fragments = part((divergence, soft));
        if entry != Entry::Backward {
            soft_fragments.extend(reads(divergence, entry));
        }
        vec![
            Part { name: "hard", outside: &[], fragments: part(hard) },
            Part { name: "soft", outside: SOFT_NAMES, fragments: soft_fragments },
        ]
    }

    fn layout(&self) -> Fragment {
        match self.width.is_strided() {
            true => fragment!("layout/planes.wgsl"),
            false => fragment!("layout/rows.wgsl"),
        }
    }

    fn lane(&self) -> Fragment {
        match self.variant {
            _ if self.width.is_strided() => fragment!("reduce/lane_planes.wgsl"),
            Variant::Workgroup => fragment!("reduce/lane_workgroup.wgsl"),
            Variant::Subgroup => fragment!("reduce/lane_subgroup.wgsl"),
        }
    }
}

impl Variant {
    fn reduce(self) -> Fragment {
        match self {
            Variant::Workgroup => fragment!("reduce/workgroup.wgsl"),
            Variant::Subgroup => fragment!("reduce/subgroup.wgsl"),
        }
    }
}

impl Width {
    fn load(self) -> Fragment {
        match self {
            Width::One => fragment!("elem/f32/load.wgsl"),
            Width::Four => fragment!("elem/f32x4/load.wgsl"),
            Width::Packed => fragment!("elem/packed/load.wgsl"),
            Width::PackedFour => fragment!("elem/packedx4/load.wgsl"),
            Width::Strided | Width::PackedStrided => fragment!("elem/strided/load.wgsl"),
        }
    }

    fn store(self) -> &'static [Fragment] {
        match self {
            Width::One => &[fragment!("elem/f32/store.wgsl")],
            Width::Four => &[fragment!("elem/f32x4/store.wgsl")],
            Width::Packed => &[PACKED_STORE_HALF, fragment!("elem/packed/store.wgsl")],
            Width::PackedFour => &[fragment!("elem/packedx4/store.wgsl")],
            Width::Strided => &[fragment!("elem/f32/store_single.wgsl"), STRIDED_STORE],
            Width::PackedStrided => &[PACKED_STORE_HALF, fragment!("elem/packed/store_single.wgsl"), STRIDED_STORE],
        }
    }

    fn single(self) -> Fragment {
        match self {
            Width::One | Width::Strided => fragment!("elem/f32/single.wgsl"),
            Width::Four => fragment!("elem/f32x4/single.wgsl"),
            Width::Packed | Width::PackedStrided => fragment!("elem/packed/single.wgsl"),
            Width::PackedFour => fragment!("elem/packedx4/single.wgsl"),
        }
    }
}

fn shuffles(family: Family, values: Values) -> Vec<Fragment> {
    match family {
        Family::Softmax => vec![fragment!("softmax/shuffle.wgsl")],
        Family::ClassIndex => vec![fragment!("class_index/shuffle.wgsl"), side_shuffle(values)],
        Family::Distribution { .. } => vec![fragment!("distribution/shuffle.wgsl")],
        Family::Distillation { .. } => vec![fragment!("distillation/shuffle.wgsl")],
        Family::RowEntropy => vec![fragment!("row_entropy/shuffle.wgsl")],
        Family::GivenLogProb | Family::Elementwise => unreachable!("they share totals only"),
    }
}

/// The family's machinery, the loss's own file, and the way through the data.
fn family_fragments(family: Family, loss: &'static str, entry: Entry, values: Values) -> Vec<Fragment> {
    let mut list = row_maths(family, loss, entry, values);
    list.push(loss_fragment(loss));
    if !entry.is_finish() {
        list.extend(load_fragments(family));
    }
    match family {
        Family::Softmax => list.extend(match entry {
            Entry::Forward => [fragment!("softmax/load_logits.wgsl"), fragment!("softmax/forward.wgsl")],
            Entry::ForwardBackward => {
                [fragment!("softmax/load_logits_and_g.wgsl"), fragment!("softmax/forward_backward.wgsl")]
            }
            Entry::Backward => [fragment!("softmax/load_logits_and_g.wgsl"), fragment!("softmax/backward.wgsl")],
            _ => unreachable!("a softmax has no windows of classes"),
        }),
        Family::GivenLogProb => list.extend(given_log_prob_fragments(entry)),
        Family::Elementwise => list.extend(elementwise_fragments(loss, entry, values)),
        Family::Distribution { terms: Terms::PerElement, .. } => list.extend(each_fragments(entry)),
        _ => list.extend(rows_fragments(family, entry, values)),
    }
    list
}

/// The family's machinery: what a row's sums are and what comes of them.
fn row_maths(family: Family, loss: &'static str, entry: Entry, values: Values) -> Vec<Fragment> {
    match family {
        Family::Softmax => vec![fragment!("softmax/family.wgsl"), LANE_SUMS],
        Family::ClassIndex => {
            let mut list = vec![CLASS_FACTORS, if entry == Entry::Accumulate { NO_KEPT } else { SCALE_KEPT }];
            list.extend(truth_fragments(entry));
            list.push(fragment!("class_index/family.wgsl"));
            list.extend(side_fragments(entry, values));
            list
        }
        Family::GivenLogProb => [&[CLASS_FACTORS], truth_fragments(entry)].concat(),
        Family::RowEntropy => vec![SOFTMAX_MOMENT, NO_TRUTH],
        Family::Distillation { .. } => vec![fragment!("distillation/soft_params.wgsl")],
        Family::Elementwise => vec![CLASS_FACTORS, fragment!("elementwise/family.wgsl")],
        Family::Distribution { student, teacher, support, terms, .. } => {
            let factors = if has_class_factors(loss) && !entry.is_finish() { CLASS_FACTORS } else { NO_CLASS_FACTORS };
            let mut list = vec![factors, student_fragment(student), fragment!("distribution/family.wgsl")];
            list.extend(teacher_fragments(teacher, support));
            list.extend(terms_fragments(terms));
            list
        }
    }
}

fn rows_fragments(family: Family, entry: Entry, values: Values) -> Vec<Fragment> {
    let gradient = fragment!("rows/gradient.wgsl");
    let dtargets = match family.has_teacher_gradient() {
        true if !entry.writes_gradient() => fragment!("distribution/forward_of_dtargets.wgsl"),
        true => fragment!("distribution/dtargets.wgsl"),
        false => fragment!("rows/no_dtargets.wgsl"),
    };
    let (sums, saved_sums) = ([LANE_SUMS, fragment!("rows/sums.wgsl")], fragment!("rows/saved_sums.wgsl"));
    let (reads, value, forward) = (reads(family, entry), value_fragment(family), fragment!("rows/forward.wgsl"));
    let way = match entry {
        Entry::Forward => [&sums, reads, &[value, forward]].concat(),
        Entry::ForwardBackward => [&sums, reads, &[value, gradient, fragment!("rows/forward_backward.wgsl")]].concat(),
        Entry::Backward | Entry::BackwardGathered => vec![gradient, fragment!("rows/backward.wgsl")],
        Entry::Accumulate => [&sums[..], &[fragment!("rows/accumulate.wgsl")]].concat(),
        Entry::AddTerms => vec![LANE_TERMS, fragment!("distribution/add_terms.wgsl")],
        Entry::Finish | Entry::FinishTerms => [&[saved_sums], reads, &[value, forward]].concat(),
    };
    let mut list = vec![dtargets];
    if values != Values::SumsAndSide && !entry.reads_state() {
        list.push(NO_SIDE);
    }
    list.extend(way);
    list
}

/// How often a row is read before its gradient; a distillation's second part brings its own way.
fn reads(family: Family, entry: Entry) -> &'static [Fragment] {
    match family {
        _ if entry == Entry::FinishTerms => &[fragment!("distribution/saved_terms.wgsl")],
        Family::Distribution { terms: Terms::Normalised, .. } => {
            &[LANE_TERMS, fragment!("distribution/second_read.wgsl")]
        }
        Family::Distillation { .. } => &[],
        _ => &[fragment!("rows/one_read.wgsl")],
    }
}

fn value_fragment(family: Family) -> Fragment {
    match family {
        Family::Distillation { .. } => fragment!("distillation/value.wgsl"),
        _ => fragment!("rows/value.wgsl"),
    }
}

/// A row's label, and where its logit is.
fn truth_fragments(entry: Entry) -> &'static [Fragment] {
    match entry.is_gathered() {
        true => &[IGNORED, TRUTH, GATHERED],
        false => &[IGNORED, TRUTH, LABEL, LOGIT_OF_TARGET],
    }
}

/// How classes are loaded; a softmax's way depends on its pass, a distillation's parts have one each.
fn load_fragments(family: Family) -> &'static [Fragment] {
    match family {
        Family::ClassIndex => &[fragment!("class_index/load.wgsl")],
        Family::Distribution { support: Support::TopK, .. } => &[fragment!("distribution/load.wgsl")],
        Family::Distribution { .. } => {
            &[fragment!("distribution/load.wgsl"), fragment!("distribution/load_dense.wgsl")]
        }
        Family::RowEntropy => &[fragment!("row_entropy/load.wgsl")],
        Family::Softmax | Family::GivenLogProb | Family::Elementwise | Family::Distillation { .. } => &[],
    }
}

/// What a class index's sums carry for side outputs.
fn side_fragments(entry: Entry, values: Values) -> Vec<Fragment> {
    let seen = fragment!("side/seen.wgsl");
    match values {
        Values::SumsAndSide if !entry.writes_values() => vec![SOFTMAX_MOMENT, seen],
        Values::SumsAndSide => vec![SOFTMAX_MOMENT, seen, fragment!("side/outputs.wgsl")],
        _ => vec![fragment!("side/none.wgsl")],
    }
}

fn side_shuffle(values: Values) -> Fragment {
    match values {
        Values::SumsAndSide => fragment!("side/shuffle.wgsl"),
        _ => fragment!("side/no_shuffle.wgsl"),
    }
}

fn given_log_prob_fragments(entry: Entry) -> Vec<Fragment> {
    let (value, gradient) = (fragment!("rows/value.wgsl"), fragment!("given_log_prob/gradient.wgsl"));
    match entry {
        Entry::Forward | Entry::Finish => vec![value, fragment!("given_log_prob/forward.wgsl")],
        Entry::ForwardBackward => vec![value, gradient, fragment!("given_log_prob/forward_backward.wgsl")],
        Entry::Backward | Entry::BackwardGathered => vec![gradient, fragment!("given_log_prob/backward.wgsl")],
        Entry::Accumulate | Entry::AddTerms | Entry::FinishTerms => unreachable!("nothing is summed over the classes"),
    }
}

fn each_fragments(entry: Entry) -> Vec<Fragment> {
    let (sums, values) = (fragment!("rows/sums.wgsl"), fragment!("distribution/each/values.wgsl"));
    let gradient = fragment!("distribution/each/gradient.wgsl");
    let reads = [LANE_SUMS, NO_ROW_WEIGHTS, NO_SIDE, sums, values];
    match entry {
        Entry::Forward => [&reads[..], &[fragment!("distribution/each/forward.wgsl")]].concat(),
        Entry::ForwardBackward => {
            [&reads[..], &[gradient, fragment!("distribution/each/forward_backward.wgsl")]].concat()
        }
        Entry::Backward => {
            let no_values = fragment!("distribution/each/no_values.wgsl");
            vec![no_values, gradient, fragment!("distribution/each/backward.wgsl")]
        }
        _ => unreachable!("single terms have no windows of classes"),
    }
}

fn elementwise_fragments(loss: &'static str, entry: Entry, values: Values) -> Vec<Fragment> {
    let targets = match reads_targets(loss) {
        true => fragment!("elementwise/targets.wgsl"),
        false => fragment!("elementwise/no_targets.wgsl"),
    };
    let written = match values {
        Values::PerElement => fragment!("elementwise/values.wgsl"),
        _ => fragment!("elementwise/sums.wgsl"),
    };
    let total = fragment!("elementwise/lane_total.wgsl");
    let (gradient, no_gradient) = (fragment!("elementwise/gradient.wgsl"), fragment!("elementwise/no_gradient.wgsl"));
    match entry {
        Entry::Forward => vec![targets, written, total, no_gradient, fragment!("elementwise/forward.wgsl")],
        Entry::ForwardBackward => {
            vec![targets, written, total, gradient, fragment!("elementwise/forward_backward.wgsl")]
        }
        Entry::Backward => vec![targets, gradient, fragment!("elementwise/backward.wgsl")],
        _ => unreachable!("nothing is kept between windows of classes"),
    }
}

/// The registry: the losses that have a fragment, and the family whose machinery it plugs into. For a distribution the
/// forms are those it may be asked with.
pub(super) const LOSSES: &[(&str, Fragment, &[Family])] = {
    use Family::{ClassIndex, Elementwise, GivenLogProb, RowEntropy, Softmax};
    &[
        ("log_softmax", fragment!("softmax/log_softmax.wgsl"), &[Softmax]),
        ("softmax", fragment!("softmax/softmax.wgsl"), &[Softmax]),
        ("cross_entropy", fragment!("class_index/cross_entropy.wgsl"), &[ClassIndex]),
        ("negative_log_likelihood", fragment!("given_log_prob/negative_log_likelihood.wgsl"), &[GivenLogProb]),
        ("softmax_focal", fragment!("class_index/softmax_focal.wgsl"), &[ClassIndex]),
        ("soft_cross_entropy", fragment!("distribution/soft_cross_entropy.wgsl"), SOFT_LABELS),
        ("kl_divergence", fragment!("distribution/kl_divergence.wgsl"), &EVERY_FORM[0]),
        ("kl_divergence", fragment!("distribution/kl_divergence.wgsl"), &EVERY_FORM[3]),
        ("kl_divergence", fragment!("distribution/kl_divergence.wgsl"), &EVERY_FORM[4]),
        ("kl_divergence", fragment!("distribution/kl_divergence.wgsl"), &TOP_K),
        ("reverse_kl_divergence", fragment!("distribution/reverse_kl_divergence.wgsl"), &EVERY_FORM[1]),
        ("jensen_shannon", fragment!("distribution/jensen_shannon.wgsl"), &EVERY_FORM[2]),
        ("total_variation", fragment!("distribution/total_variation.wgsl"), &EVERY_FORM[2]),
        ("entropy", fragment!("row_entropy/entropy.wgsl"), &[RowEntropy]),
        ("binary_cross_entropy", fragment!("elementwise/binary_cross_entropy.wgsl"), &[Elementwise]),
        ("binary_cross_entropy_of_probs", fragment!("elementwise/binary_cross_entropy_of_probs.wgsl"), &[Elementwise]),
        ("sigmoid_focal", fragment!("elementwise/sigmoid_focal.wgsl"), &[Elementwise]),
        ("distribution_entropy", fragment!("elementwise/distribution_entropy.wgsl"), &[Elementwise]),
        ("distillation", fragment!("distillation/family.wgsl"), &DISTILLATIONS),
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

/// The divergences that a cross-entropy may be added to.
const DISTILLATIONS: [Family; 12] = {
    let [a, b, c] = distillations("kl_divergence", Terms::MeanUnderTeacher);
    let [d, e, f] = distillations("reverse_kl_divergence", Terms::MeanUnderStudent);
    let [g, h, i] = distillations("jensen_shannon", Terms::Normalised);
    let [j, k, l] = distillations("total_variation", Terms::Normalised);
    [a, b, c, d, e, f, g, h, i, j, k, l]
};

const fn distillations(soft: &'static str, terms: Terms) -> [Family; 3] {
    use Form::{LogProbs, Logits, Probs};
    [
        Family::Distillation { soft, teacher: Probs, terms },
        Family::Distillation { soft, teacher: LogProbs, terms },
        Family::Distillation { soft, teacher: Logits, terms },
    ]
}

const fn every_form(terms: Terms, gradients: Gradients) -> [Family; 6] {
    use Form::{LogProbs, Logits, Probs};
    let support = Support::Dense;
    [
        Family::Distribution { student: Logits, teacher: Probs, support, terms, gradients },
        Family::Distribution { student: Logits, teacher: LogProbs, support, terms, gradients },
        Family::Distribution { student: Logits, teacher: Logits, support, terms, gradients },
        Family::Distribution { student: LogProbs, teacher: Probs, support, terms, gradients },
        Family::Distribution { student: LogProbs, teacher: LogProbs, support, terms, gradients },
        Family::Distribution { student: LogProbs, teacher: Logits, support, terms, gradients },
    ]
}

/// A top-k teacher's numbers, beside logits.
const TOP_K: [Family; 2] = [top_k(Form::Probs), top_k(Form::LogProbs)];

const fn top_k(teacher: Form) -> Family {
    let (terms, gradients) = (Terms::MeanUnderTeacher, Gradients::Student);
    Family::Distribution { student: Form::Logits, teacher, support: Support::TopK, terms, gradients }
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

/// What a teacher's numbers are, and where they come from. Those of a top-k teacher become one probability per class.
fn teacher_fragments(teacher: Form, support: Support) -> Vec<Fragment> {
    let probs = fragment!("distribution/teacher_probs.wgsl");
    let dense = |numbers| vec![NO_TRUTH, numbers, fragment!("distribution/dense.wgsl")];
    let top_k = |numbers| vec![LABEL, numbers, fragment!("distribution/top_k/teacher.wgsl"), probs];
    match (support, teacher) {
        (Support::TopK, Form::LogProbs) => top_k(fragment!("distribution/top_k/log_probs.wgsl")),
        (Support::TopK, _) => top_k(fragment!("distribution/top_k/probs.wgsl")),
        (Support::Dense, Form::Logits) => dense(fragment!("distribution/teacher_logits.wgsl")),
        (Support::Dense, Form::LogProbs) => dense(fragment!("distribution/teacher_log_probs.wgsl")),
        (Support::Dense, Form::Probs) => dense(probs),
    }
}
