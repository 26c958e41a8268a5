//! Numbers from PyTorch in f64; `golden/generate.py` says how they were made.

use rstest::rstest;
use surprisal::Reduction::{BatchMean, Mean, None, Sum};
use surprisal::{
    BinaryCrossEntropy, Broadcast, CrossEntropy, Entropy, Form, JensenShannon, KlDivergence, Loss,
    NegativeLogLikelihood, ReverseKlDivergence, SigmoidFocal, SoftCrossEntropy, SoftmaxFocal, TotalVariation,
};

use crate::support::case::{Case, case};
use crate::support::compare::{assert_close, assert_relative};

const N_CLASSES: usize = 4;
const TARGETS: [i32; 3] = [2, 0, 3];
const IGNORING: [i32; 3] = [2, -100, 0];

/// The numbers of one line, `key number number ...`.
fn golden(key: &str) -> Vec<f64> {
    let lines = include_str!("../golden/pytorch.txt").lines();
    let mut words = lines.map(str::split_whitespace).find_map(|mut words| (words.next() == Some(key)).then_some(words));
    let words = words.as_mut().unwrap_or_else(|| panic!("pytorch.txt has no line {key}"));
    words.map(|word| word.parse().unwrap_or_else(|_| panic!("{key}: {word} is no number"))).collect()
}

/// The numbers of an input line, all exact in f32.
fn input(key: &str) -> Vec<f32> {
    golden(key).into_iter().map(|number| number as f32).collect()
}

fn weights() -> Vec<f32> {
    input("w")
}

fn alpha() -> Vec<f32> {
    input("a")
}

fn golden_case(loss: impl Into<Loss>) -> Case {
    case(loss, N_CLASSES, &input("x"))
}

/// Holds values and gradient against PyTorch's: both sum a dozen terms below 20 in f64, in orders of their own.
fn assert_golden(name: &str, case: Case) {
    let (values, dlogits) = (golden(&format!("{name}.values")), golden(&format!("{name}.dlogits")));
    let dloss = &input("g")[..values.len()];
    assert_close(name, &case.losses(), &values, 2e-14);
    assert_close(name, &case.dloss(dloss).gradient(), &dlogits, 2e-14);
}

#[rstest]
#[case("log_softmax", Loss::LogSoftmax)]
#[case("softmax", Loss::Softmax)]
#[case("entropy", Entropy::of_logits().reduction(None))]
fn without_targets_equals_pytorch(#[case] name: &str, #[case] loss: impl Into<Loss>) {
    assert_golden(name, golden_case(loss));
}

#[rstest]
#[case("ce_none", CrossEntropy::new().reduction(None), TARGETS)]
#[case("ce_ignore", CrossEntropy::new().ignore_index(-100), IGNORING)]
#[case("ce_weights", CrossEntropy::new().ignore_index(-100).class_weights(weights()), IGNORING)]
#[case("ce_smoothing", CrossEntropy::new().label_smoothing(0.125).reduction(Sum), TARGETS)]
#[case("ce_all", CrossEntropy::new().ignore_index(-100).class_weights(weights()).label_smoothing(0.125), IGNORING)]
#[case("nll_none", NegativeLogLikelihood::new().reduction(None), TARGETS)]
#[case("nll_mean", NegativeLogLikelihood::new().ignore_index(-100), IGNORING)]
#[case("nll_weights", NegativeLogLikelihood::new().ignore_index(-100).class_weights(weights()), IGNORING)]
#[case("focal", SoftmaxFocal::new(2.0), TARGETS)]
#[case("focal_alpha", SoftmaxFocal::new(0.5).alpha(alpha()), TARGETS)]
fn against_class_indices_equals_pytorch(#[case] name: &str, #[case] loss: impl Into<Loss>, #[case] labels: [i32; 3]) {
    assert_golden(name, golden_case(loss).labels(&labels));
}

#[rstest]
#[case("soft_mean", SoftCrossEntropy::new(), "p")]
#[case("soft_all", SoftCrossEntropy::new().class_weights(weights()).label_smoothing(0.25), "p")]
#[case("kl_batch_mean", KlDivergence::from_logits(Form::Probs).reduction(BatchMean), "p")]
#[case("kl_mean", KlDivergence::from_logits(Form::Probs).reduction(Mean), "p")]
#[case("kl_distillation", KlDivergence::from_logits(Form::Logits).temperature(2.5).scaled_by_t_squared(), "z")]
#[case("kl_none", KlDivergence::from_logits(Form::Probs).per_element().reduction(None), "p")]
#[case(
    "kl_none_distillation",
    KlDivergence::from_logits(Form::Logits).temperature(2.5).scaled_by_t_squared().per_element().reduction(None),
    "z"
)]
#[case("kl_none_log_probs", KlDivergence::from_log_probs(Form::Probs).per_element().reduction(None), "p")]
#[case("kl_log_probs", KlDivergence::from_log_probs(Form::Probs).reduction(Sum), "p")]
#[case("reverse_kl", ReverseKlDivergence::from_logits(Form::Logits), "z")]
#[case("reverse_kl_distillation", ReverseKlDivergence::from_logits(Form::Logits).temperature(2.5).scaled_by_t_squared(), "z")]
#[case("jensen_shannon", JensenShannon::from_logits(Form::Logits).reduction(Mean), "z")]
#[case("jensen_shannon_probs", JensenShannon::from_logits(Form::Probs).beta(0.125).reduction(None), "p")]
#[case(
    "jensen_shannon_distillation",
    JensenShannon::from_logits(Form::Logits).beta(0.75).temperature(2.5).scaled_by_t_squared().reduction(Sum),
    "z"
)]
#[case("total_variation", TotalVariation::from_logits(Form::Logits).reduction(None), "z")]
#[case("total_variation_probs", TotalVariation::from_logits(Form::Probs).reduction(Mean), "p")]
#[case("bce_mean", BinaryCrossEntropy::new(), "y")]
#[case("bce_none", BinaryCrossEntropy::new().pos_weight(alpha()).reduction(None), "y")]
#[case("sigmoid_focal", SigmoidFocal::new(2.0).alpha(0.25), "y")]
#[case("sigmoid_focal_none", SigmoidFocal::new(1.5).reduction(None), "y")]
fn against_values_equals_pytorch(#[case] name: &str, #[case] loss: impl Into<Loss>, #[case] targets: &str) {
    assert_golden(name, golden_case(loss).values(&input(targets)));
}

/// Its loss is 827, from targets e^z with z up to 4: a bound of its own.
#[test]
fn kl_divergence_to_log_targets_equals_pytorch() {
    let case = golden_case(KlDivergence::from_logits(Form::LogProbs).reduction(Sum)).values(&input("z"));
    assert_close("kl_log_target", &case.losses(), &golden("kl_log_target.values"), 1e-12);
    assert_close("kl_log_target", &case.gradient(), &golden("kl_log_target.dlogits"), 1e-13);
}

#[rstest]
#[case("kl_teacher_logits", KlDivergence::from_logits(Form::Logits).temperature(2.5).scaled_by_t_squared())]
#[case("kl_teacher_log_probs", KlDivergence::from_logits(Form::LogProbs).reduction(Mean))]
fn gradients_of_teachers_equal_pytorch(#[case] name: &str, #[case] loss: KlDivergence) {
    let case = golden_case(loss.teacher_gradient()).values(&input("z")).dloss(&input("g")[..1]);
    // Targets of up to e^4, times logarithms of up to 22.
    assert_close(name, &case.teacher_gradient(), &golden(&format!("{name}.dtargets")), 2e-13);
}

/// Among the gradients is that of p = 0 held against y = 0.625.
#[test]
fn binary_cross_entropy_of_probabilities_equals_pytorch() {
    let mean = case(BinaryCrossEntropy::of_probs(), N_CLASSES, &input("p")).values(&input("y"));
    let each = case(BinaryCrossEntropy::of_probs().reduction(None), N_CLASSES, &input("p")).values(&input("y"));
    for (name, case) in [("pbce_mean", mean), ("pbce_none", each.weights(&input("v"), Broadcast::PerElement))] {
        let (values, dlogits) = (golden(&format!("{name}.values")), golden(&format!("{name}.dlogits")));
        assert_relative(name, &case.losses(), &values, 4.0 * f64::EPSILON);
        let gradient = case.dloss(&input("g")[..values.len()]).gradient();
        assert_relative(name, &gradient, &dlogits, 4.0 * f64::EPSILON);
    }
}

#[test]
fn weighted_binary_cross_entropy_equals_pytorch() {
    let case = golden_case(BinaryCrossEntropy::new().pos_weight(alpha())).values(&input("y"));
    assert_golden("bce_all", case.weights(&input("v"), Broadcast::PerElement));
}
