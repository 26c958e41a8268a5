//! What a family's kernels are made of.

use super::bindings::{has_class_factors, reads_targets};
use super::fragment::{Fragment, fragment};
use super::losses::loss_fragment;
use super::{Entry, Values};
use crate::loss::{Family, Form, Pass, Support, Terms};

pub(super) const LABEL: Fragment = fragment!("label.wgsl");
pub(super) const CLASS_FACTORS: Fragment = fragment!("class_factors.wgsl");
pub(super) const IGNORED: Fragment = fragment!("class_index/ignored.wgsl");
pub(super) const TRUTH: Fragment = fragment!("class_index/truth.wgsl");
pub(super) const TRUTH_OF_LABEL: Fragment = fragment!("class_index/truth_of_label.wgsl");
pub(super) const NO_ROW_WEIGHTS: Fragment = fragment!("rows/no_weights.wgsl");
pub(super) const SOFTMAX_STATE: Fragment = fragment!("softmax_state.wgsl");
const SCALE_KEPT: Fragment = fragment!("scale/kept.wgsl");
const NO_KEPT: Fragment = fragment!("scale/no_kept.wgsl");
const LOGIT_OF_TARGET: Fragment = fragment!("class_index/logit_of_target.wgsl");
const GATHERED: Fragment = fragment!("class_index/gathered.wgsl");
const NO_SIDE: Fragment = fragment!("side/silent.wgsl");
const SIDE_OF_HARD: Fragment = fragment!("distillation/side.wgsl");
const WRITE_SIDE_OF_HARD: Fragment = fragment!("distillation/write_side.wgsl");
const NO_CLASS_FACTORS: Fragment = fragment!("no_class_factors.wgsl");
const SOFTMAX_MOMENT: Fragment = fragment!("softmax_moment.wgsl");
const NO_TRUTH: Fragment = fragment!("rows/no_truth.wgsl");
const LANE_TERMS: Fragment = fragment!("distribution/lane_terms.wgsl");
const LANE_SUMS: Fragment = fragment!("lane_sums.wgsl");
const KEPT_SUMS: Fragment = fragment!("rows/kept_sums.wgsl");
const SAVED_SUMS: Fragment = fragment!("rows/saved_sums.wgsl");
const ACCUMULATE: Fragment = fragment!("rows/accumulate.wgsl");
const ROW_FROM_STATE: Fragment = fragment!("rows/row_from_state.wgsl");
const ADD_TERMS: Fragment = fragment!("distribution/add_terms.wgsl");
const SECOND_READ: Fragment = fragment!("distribution/second_read.wgsl");
const SAVED_TERMS: Fragment = fragment!("distribution/saved_terms.wgsl");

pub(super) fn shuffles(family: Family, values: Values) -> Vec<Fragment> {
    match family {
        Family::Softmax => vec![fragment!("softmax/shuffle.wgsl")],
        Family::ClassIndex => vec![fragment!("class_index/shuffle.wgsl"), side_shuffle(values)],
        Family::Distribution { .. } => vec![fragment!("distribution/shuffle.wgsl"), side_shuffle(values)],
        Family::Distillation { .. } => vec![fragment!("distillation/shuffle.wgsl")],
        Family::RowEntropy => vec![fragment!("row_entropy/shuffle.wgsl")],
        Family::GivenLogProb | Family::Elementwise => unreachable!("they share totals only"),
    }
}

/// The family's machinery, the loss's own file, and the way through the data.
pub(super) fn family_fragments(
    family: Family,
    loss: &'static str,
    entry: Entry,
    values: Values,
    keeps_tiles: bool,
) -> Vec<Fragment> {
    let mut list = row_maths(family, loss, entry, values);
    list.push(loss_fragment(loss));
    list.extend(truth_fragments(family, entry));
    if !entry.is_finish() {
        list.extend(load_fragments(family));
    }
    match family {
        Family::Softmax => list.extend(softmax_fragments(entry)),
        Family::GivenLogProb => list.extend(given_log_prob_fragments(entry)),
        Family::Elementwise => list.extend(elementwise_fragments(loss, entry, values)),
        Family::Distribution { terms: Terms::PerElement, .. } => list.extend(each_fragments(entry)),
        _ => list.extend(rows_fragments(family, entry, values, keeps_tiles)),
    }
    list
}

/// The family's machinery: what a row's sums are and what comes of them.
pub(super) fn row_maths(family: Family, loss: &'static str, entry: Entry, values: Values) -> Vec<Fragment> {
    match family {
        Family::Softmax => vec![NO_TRUTH, fragment!("softmax/family.wgsl"), NO_ROW_WEIGHTS, NO_SIDE],
        Family::ClassIndex => {
            let makes_no_loss = matches!(entry, Entry::Accumulate | Entry::AddTerms);
            let kept = if makes_no_loss { NO_KEPT } else { SCALE_KEPT };
            let mut list = vec![CLASS_FACTORS, kept, TRUTH, fragment!("class_index/family.wgsl")];
            list.extend(side_fragments(entry, values, fragment!("side/target.wgsl")));
            list
        }
        Family::GivenLogProb => vec![CLASS_FACTORS, TRUTH],
        Family::RowEntropy => vec![SOFTMAX_MOMENT, NO_TRUTH],
        Family::Distillation { .. } => {
            let mut list = vec![fragment!("distillation/soft_params.wgsl")];
            if family.is_top_k() && !entry.is_finish() {
                list.push(fragment!("distillation/mass.wgsl"));
            }
            list
        }
        Family::Elementwise => vec![CLASS_FACTORS, fragment!("elementwise/family.wgsl")],
        Family::Distribution { student, teacher, support, terms, .. } => {
            let factors = if has_class_factors(loss) && !entry.is_finish() { CLASS_FACTORS } else { NO_CLASS_FACTORS };
            let mut list = vec![factors, student_fragment(student), fragment!("distribution/family.wgsl")];
            list.extend(side_fragments(entry, values, fragment!("side/no_target.wgsl")));
            list.extend(teacher_fragments(teacher, support, entry));
            list.extend(terms_fragments(terms));
            list
        }
    }
}

fn rows_fragments(family: Family, entry: Entry, values: Values, keeps_tiles: bool) -> Vec<Fragment> {
    let (tile, read_again) = (fragment!("rows/gradient_tile.wgsl"), fragment!("rows/gradient.wgsl"));
    let dtargets = match family.has_teacher_gradient() {
        true if !entry.writes_gradient() => fragment!("distribution/forward_of_dtargets.wgsl"),
        true => fragment!("distribution/dtargets.wgsl"),
        false => fragment!("rows/no_dtargets.wgsl"),
    };
    let sums = [LANE_SUMS, fragment!("rows/sums.wgsl")];
    let (whole, gradient): (&[_], _) = match keeps_tiles {
        true => (&[fragment!("rows/kept_tiles.wgsl")], fragment!("rows/kept_gradient.wgsl")),
        false => (&sums, read_again),
    };
    let reads = reads(family, entry, keeps_tiles);
    let (value, forward) = (value_fragment(family), fragment!("rows/forward.wgsl"));
    let way = match entry {
        Entry::Forward => [whole, reads, &[value, forward]].concat(),
        Entry::ForwardBackward => {
            [whole, reads, &[value, tile, gradient, fragment!("rows/forward_backward.wgsl")]].concat()
        }
        Entry::Backward | Entry::BackwardGathered => {
            vec![tile, read_again, ROW_FROM_STATE, fragment!("rows/backward.wgsl")]
        }
        Entry::Accumulate => [&sums[..], kept_sums(family), &[ACCUMULATE]].concat(),
        Entry::AddTerms => vec![terms_fragment(family), fragment!("rows/row_from_sums.wgsl"), ADD_TERMS],
        Entry::Finish | Entry::FinishTerms => [&[SAVED_SUMS], reads, &[value, forward]].concat(),
        Entry::AccumulateUpstream | Entry::AddUpstream | Entry::BackwardTerms | Entry::FromSums(_) => {
            unreachable!("a row's loss has one upstream gradient")
        }
    };
    let mut list = vec![dtargets];
    match (values, family) {
        _ if entry.reads_state() => {}
        (Values::SumsAndSide, Family::Distillation { .. }) if entry.writes_values() => {
            list.extend([SIDE_OF_HARD, WRITE_SIDE_OF_HARD]);
        }
        (Values::SumsAndSide, Family::Distillation { .. }) => list.push(SIDE_OF_HARD),
        (Values::SumsAndSide, _) => {}
        _ => list.push(NO_SIDE),
    }
    list.extend(way);
    list
}

fn terms_fragment(family: Family) -> Fragment {
    match family {
        Family::Distillation { .. } => fragment!("distillation/terms.wgsl"),
        _ => LANE_TERMS,
    }
}

fn kept_sums(family: Family) -> &'static [Fragment] {
    match family {
        Family::Distillation { .. } => &[fragment!("distillation/kept_sums.wgsl")],
        _ if family.is_top_k() => &[fragment!("distribution/top_k/kept_sums.wgsl")],
        _ => &[KEPT_SUMS],
    }
}

/// What the second part of a sum brings of the way through the data.
pub(super) fn reads_of_part(divergence: Family, entry: Entry) -> &'static [Fragment] {
    let reads_twice = matches!(divergence, Family::Distribution { terms: Terms::Normalised, .. });
    match entry {
        Entry::Backward => &[],
        Entry::Accumulate => kept_sums(divergence),
        Entry::AddTerms => &[LANE_TERMS],
        // What a lane keeps of a sum is for both parts.
        Entry::Forward | Entry::ForwardBackward if reads_twice => &[LANE_TERMS, SECOND_READ],
        _ => reads(divergence, entry, false),
    }
}

/// How often a row is read before its gradient; a distillation's second part brings its own way.
fn reads(family: Family, entry: Entry, keeps_tiles: bool) -> &'static [Fragment] {
    match family {
        Family::Distillation { .. } => &[],
        _ if entry == Entry::FinishTerms => &[SAVED_TERMS],
        Family::Distribution { terms: Terms::Normalised, .. } if keeps_tiles => {
            &[LANE_TERMS, fragment!("distribution/kept_terms.wgsl")]
        }
        Family::Distribution { terms: Terms::Normalised, .. } => &[LANE_TERMS, SECOND_READ],
        _ => &[fragment!("rows/one_read.wgsl")],
    }
}

fn value_fragment(family: Family) -> Fragment {
    match family {
        Family::Distillation { .. } => fragment!("distillation/value.wgsl"),
        _ => fragment!("rows/value.wgsl"),
    }
}

/// A row's label, and where its logit is; that of a distillation is in its part or in the row state.
pub(super) fn truth_fragments(family: Family, entry: Entry) -> &'static [Fragment] {
    match family {
        Family::ClassIndex | Family::GivenLogProb if entry.is_gathered() => &[IGNORED, TRUTH_OF_LABEL, GATHERED],
        Family::ClassIndex | Family::GivenLogProb => &[IGNORED, TRUTH_OF_LABEL, LABEL, LOGIT_OF_TARGET],
        Family::Distillation { .. } if entry.reads_labels(family) => &[fragment!("distillation/truth.wgsl")],
        Family::Distillation { .. } => &[fragment!("distillation/saved_truth.wgsl")],
        _ => &[],
    }
}

/// How classes are loaded; a softmax's way depends on its pass.
pub(super) fn load_fragments(family: Family) -> &'static [Fragment] {
    match family {
        Family::ClassIndex => &[fragment!("class_index/load.wgsl")],
        Family::Distribution { support: Support::TopK, .. } => &[fragment!("distribution/load.wgsl")],
        Family::Distribution { .. } => {
            &[fragment!("distribution/load.wgsl"), fragment!("distribution/load_dense.wgsl")]
        }
        Family::RowEntropy => &[fragment!("row_entropy/load.wgsl")],
        Family::Distillation { .. } => &[fragment!("distillation/load.wgsl")],
        Family::Softmax | Family::GivenLogProb | Family::Elementwise => &[],
    }
}

/// What a row's sums carry for side outputs.
fn side_fragments(entry: Entry, values: Values, target: Fragment) -> Vec<Fragment> {
    let seen = fragment!("side/seen.wgsl");
    match values {
        Values::SumsAndSide if !entry.writes_values() => vec![SOFTMAX_MOMENT, seen, target],
        Values::SumsAndSide => vec![SOFTMAX_MOMENT, seen, target, fragment!("side/outputs.wgsl")],
        _ => vec![fragment!("side/none.wgsl")],
    }
}

fn side_shuffle(values: Values) -> Fragment {
    match values {
        Values::SumsAndSide => fragment!("side/shuffle.wgsl"),
        _ => fragment!("side/no_shuffle.wgsl"),
    }
}

fn softmax_fragments(entry: Entry) -> Vec<Fragment> {
    let (logits, both) = (fragment!("softmax/load_logits.wgsl"), fragment!("softmax/load_logits_and_g.wgsl"));
    let sums = [LANE_SUMS, fragment!("rows/sums.wgsl")];
    let accumulate = [KEPT_SUMS, ACCUMULATE];
    let forward = fragment!("softmax/forward.wgsl");
    let forward_backward = fragment!("softmax/forward_backward.wgsl");
    let backward = fragment!("softmax/backward.wgsl");
    match entry {
        Entry::Forward => [&[logits], &sums[..], &[forward]].concat(),
        Entry::ForwardBackward => [&[both], &sums[..], &[forward_backward]].concat(),
        Entry::Backward => vec![both, LANE_SUMS, fragment!("softmax/sums_about_state.wgsl"), backward],
        Entry::Accumulate => [&[logits], &sums[..], &accumulate].concat(),
        Entry::AccumulateUpstream => [&[both], &sums[..], &accumulate].concat(),
        Entry::FromSums(Pass::Forward) => vec![logits, SAVED_SUMS, forward],
        Entry::FromSums(Pass::ForwardBackward) => vec![both, SAVED_SUMS, forward_backward],
        Entry::FromSums(Pass::Backward) => vec![both, SAVED_SUMS, backward],
        _ => unreachable!("nothing else is kept of a softmax"),
    }
}

fn given_log_prob_fragments(entry: Entry) -> Vec<Fragment> {
    let (value, gradient) = (fragment!("rows/value.wgsl"), fragment!("given_log_prob/gradient.wgsl"));
    match entry {
        Entry::Forward | Entry::Finish => vec![value, fragment!("given_log_prob/forward.wgsl")],
        Entry::ForwardBackward => vec![value, gradient, fragment!("given_log_prob/forward_backward.wgsl")],
        Entry::Backward | Entry::BackwardGathered => vec![gradient, fragment!("given_log_prob/backward.wgsl")],
        _ => unreachable!("nothing is summed over the classes"),
    }
}

fn each_fragments(entry: Entry) -> Vec<Fragment> {
    let sums = [NO_ROW_WEIGHTS, NO_SIDE, LANE_SUMS, fragment!("rows/sums.wgsl")];
    let (values, no_values) =
        (fragment!("distribution/each/values.wgsl"), fragment!("distribution/each/no_values.wgsl"));
    let slopes = fragment!("distribution/each/slopes.wgsl");
    let read_slopes = [slopes, fragment!("distribution/each/lane_slopes.wgsl")];
    let gradient = fragment!("distribution/each/gradient.wgsl");
    let forward = fragment!("distribution/each/forward.wgsl");
    let forward_backward = fragment!("distribution/each/forward_backward.wgsl");
    let backward = fragment!("distribution/each/backward.wgsl");
    match entry {
        Entry::Forward => [&sums[..], &[values, forward]].concat(),
        Entry::ForwardBackward => {
            [&sums[..], &[values], &read_slopes, &[SECOND_READ, gradient, forward_backward]].concat()
        }
        Entry::Backward => {
            [&[ROW_FROM_STATE, no_values], &read_slopes[..], &[SECOND_READ, gradient, backward]].concat()
        }
        Entry::Accumulate => [&sums[..], &[KEPT_SUMS, ACCUMULATE]].concat(),
        Entry::FromSums(Pass::Forward) => vec![NO_ROW_WEIGHTS, SAVED_SUMS, values, forward],
        Entry::AddUpstream => [&[ROW_FROM_STATE, no_values], &read_slopes[..], &[ADD_TERMS]].concat(),
        Entry::BackwardTerms => vec![ROW_FROM_STATE, slopes, SAVED_TERMS, gradient, backward],
        _ => unreachable!("single terms have no other ways"),
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

/// What a teacher's numbers are, and where they come from. Those of a top-k teacher become one probability per class,
/// of which a row's sums tell in the end what there is to know.
fn teacher_fragments(teacher: Form, support: Support, entry: Entry) -> Vec<Fragment> {
    let probs = fragment!("distribution/teacher_probs.wgsl");
    let dense = |numbers| vec![NO_TRUTH, numbers, fragment!("distribution/dense.wgsl")];
    let top_k = |numbers| vec![LABEL, numbers, fragment!("distribution/top_k/teacher.wgsl"), probs];
    match (support, teacher) {
        (Support::TopK, _) if entry.is_finish() => dense(probs),
        (Support::TopK, Form::LogProbs) => top_k(fragment!("distribution/top_k/log_probs.wgsl")),
        (Support::TopK, _) => top_k(fragment!("distribution/top_k/probs.wgsl")),
        (Support::Dense, Form::Logits) => dense(fragment!("distribution/teacher_logits.wgsl")),
        (Support::Dense, Form::LogProbs) => dense(fragment!("distribution/teacher_log_probs.wgsl")),
        (Support::Dense, Form::Probs) => dense(probs),
    }
}
