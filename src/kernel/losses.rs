//! The losses that kernels compute.

use super::fragment::{Fragment, fragment};
use crate::loss::{Family, Form, Gradients, Support, Terms};

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
        ("kl_divergence", fragment!("distribution/kl_divergence.wgsl"), &top_k(Terms::MeanUnderTeacher)),
        ("reverse_kl_divergence", fragment!("distribution/reverse_kl_divergence.wgsl"), &EVERY_FORM[1]),
        ("reverse_kl_divergence", fragment!("distribution/reverse_kl_divergence.wgsl"), REVERSE_TOP_K),
        ("jensen_shannon", fragment!("distribution/jensen_shannon.wgsl"), &EVERY_FORM[2]),
        ("jensen_shannon", fragment!("distribution/jensen_shannon.wgsl"), &top_k(Terms::Normalised)),
        ("total_variation", fragment!("distribution/total_variation.wgsl"), &EVERY_FORM[2]),
        ("total_variation", fragment!("distribution/total_variation.wgsl"), &top_k(Terms::Normalised)),
        ("entropy", fragment!("row_entropy/entropy.wgsl"), &[RowEntropy]),
        ("binary_cross_entropy", fragment!("elementwise/binary_cross_entropy.wgsl"), &[Elementwise]),
        ("binary_cross_entropy_of_probs", fragment!("elementwise/binary_cross_entropy_of_probs.wgsl"), &[Elementwise]),
        ("sigmoid_focal", fragment!("elementwise/sigmoid_focal.wgsl"), &[Elementwise]),
        ("distribution_entropy", fragment!("elementwise/distribution_entropy.wgsl"), &[Elementwise]),
        ("distillation", fragment!("distillation/family.wgsl"), &WITH_CROSS_ENTROPY),
        ("distillation", fragment!("distillation/family.wgsl"), &WITH_SOFTMAX_FOCAL),
    ]
};

const SOFT_LABELS: &[Family] = &[every_form(Terms::MeanUnderTeacher, Gradients::Student)[0]];

/// A top-k teacher's rest is in every class then, as probabilities alone have it.
const REVERSE_TOP_K: &[Family] = &[top_k(Terms::MeanUnderStudent)[0]];

/// What a divergence may be asked with, whatever its terms.
const EVERY_FORM: [[Family; 6]; 5] = [
    every_form(Terms::MeanUnderTeacher, Gradients::Student),
    every_form(Terms::MeanUnderStudent, Gradients::Student),
    every_form(Terms::Normalised, Gradients::Student),
    every_form(Terms::PerElement, Gradients::Student),
    every_form(Terms::MeanUnderTeacher, Gradients::Both),
];

const WITH_CROSS_ENTROPY: [Family; 19] = distillations("cross_entropy");
const WITH_SOFTMAX_FOCAL: [Family; 19] = distillations("softmax_focal");

/// The divergences that a loss against labels may be added to; of a top-k teacher as they are by themselves.
const fn distillations(hard: &'static str) -> [Family; 19] {
    let [a, b, c, m, n] = with_each_teacher(hard, "kl_divergence", Terms::MeanUnderTeacher);
    let [d, e, f, o, _] = with_each_teacher(hard, "reverse_kl_divergence", Terms::MeanUnderStudent);
    let [g, h, i, p, q] = with_each_teacher(hard, "jensen_shannon", Terms::Normalised);
    let [j, k, l, r, s] = with_each_teacher(hard, "total_variation", Terms::Normalised);
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r, s]
}

const fn with_each_teacher(hard: &'static str, soft: &'static str, terms: Terms) -> [Family; 5] {
    use Form::{LogProbs, Logits, Probs};
    use Support::{Dense, TopK};
    [
        Family::Distillation { hard, soft, teacher: Probs, support: Dense, terms },
        Family::Distillation { hard, soft, teacher: LogProbs, support: Dense, terms },
        Family::Distillation { hard, soft, teacher: Logits, support: Dense, terms },
        Family::Distillation { hard, soft, teacher: Probs, support: TopK, terms },
        Family::Distillation { hard, soft, teacher: LogProbs, support: TopK, terms },
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
const fn top_k(terms: Terms) -> [Family; 2] {
    let (student, support, gradients) = (Form::Logits, Support::TopK, Gradients::Student);
    [
        Family::Distribution { student, teacher: Form::Probs, support, terms, gradients },
        Family::Distribution { student, teacher: Form::LogProbs, support, terms, gradients },
    ]
}

pub(super) fn loss_fragment(loss: &'static str) -> Fragment {
    let registered = LOSSES.iter().find(|(name, ..)| *name == loss);
    registered.expect("every loss is registered, as a test of every loss shows").1
}
