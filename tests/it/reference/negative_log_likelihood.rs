//! Log-probabilities given as they are: of a row only the label's number is read.

use rstest::rstest;
use surprisal::{CrossEntropy, Loss, NegativeLogLikelihood, Pass, Reduction, RowWeights};

use crate::support::case::{Case, case};
use crate::support::compare::{assert_close, numbers};

const INF: f32 = f32::INFINITY;
const NEG_INF: f32 = f32::NEG_INFINITY;

fn nll() -> NegativeLogLikelihood {
    NegativeLogLikelihood::new()
}

/// Weights 2, 3, -1 of the labels 0, 1, 2; row 1 is ignored: divisor 2 - 1.
#[test]
fn the_labels_log_probability_is_weighted_and_divided_like_cross_entropy() {
    let log_probs = [-0.5, -1.0, -2.0, -1.5, -0.25, -4.0, -3.0, -0.5, -0.75];
    let loss = nll().class_weights([2.0, 3.0, -1.0]).ignore_index(1);
    let mean = case(loss.clone(), 3, &log_probs).labels(&[0, 1, 2]);
    assert_close("mean", &mean.losses(), &[2.0 * 0.5 - 0.75], 0.0);
    assert_close("gradient", &mean.gradient(), &[-2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0], 0.0);
    let rows = case(loss.reduction(Reduction::None), 3, &log_probs).labels(&[0, 1, 2]).dloss(&[0.5, 7.0, 2.0]);
    assert_close("rows", &rows.losses(), &[1.0, 0.0, -0.75], 0.0);
    assert_close("their gradient", &rows.gradient(), &[-1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0], 0.0);
}

#[rstest]
#[case(RowWeights::Scale, 3.0)]
#[case(RowWeights::Mask, 2.0)]
#[case(RowWeights::Count, 2.5)]
fn row_weights_enter_the_divisor_as_told(#[case] row_weights: RowWeights, #[case] divisor: f64) {
    let mean = case(nll().row_weights(row_weights), 2, &[-1.0, -2.0, -3.0, -4.0, f32::NAN, -6.0]);
    let mean = mean.labels(&[0, 1, 0]).row_weights(&[0.5, 2.0, 0.0]);
    assert_close("mean", &mean.losses(), &[(0.5 * 1.0 + 2.0 * 4.0) / divisor], 0.0);
    assert_close("gradient", &mean.gradient(), &[-0.5, 0.0, 0.0, -2.0, 0.0, 0.0].map(|g| g / divisor), 0.0);
}

#[rstest]
#[case(nll(), CrossEntropy::new())]
#[case(
    nll().class_weights([0.5, 2.0, 0.0]).ignore_index(2),
    CrossEntropy::new().class_weights([0.5, 2.0, 0.0]).ignore_index(2)
)]
fn of_a_log_softmax_it_is_cross_entropy(#[case] nll: NegativeLogLikelihood, #[case] ce: CrossEntropy) {
    let (logits, labels) = ([0.5, -1.25, 2.0, 3.0, 2.75, -4.5, -0.25, 18.0, 0.75], [2, 0, 1]);
    let log_probs: Vec<f32> = case(Loss::LogSoftmax, 3, &logits).losses().iter().map(|&lp| lp as f32).collect();
    let [given, fused] = [case(nll, 3, &log_probs), case(ce, 3, &logits)].map(|case| case.labels(&labels).losses());
    // Log-probabilities below 18, rounded to f32.
    assert_close("losses", &given, &fused, 18.0 * 2.0_f64.powi(-24));
}

#[rstest]
fn other_classes_are_not_read(#[values(f32::NAN, INF, NEG_INF)] other: f32) {
    let loss = nll().reduction(Reduction::None);
    let odd = case(&loss, 3, &[other, -0.5, other, -1.0, other, other]).labels(&[1, 0]);
    assert_close(&odd.name, &odd.losses(), &[0.5, 1.0], 0.0);
    assert_close(&odd.name, &odd.gradient(), &[0.0, -1.0, 0.0, -1.0, 0.0, 0.0], 0.0);
}

#[test]
fn a_label_without_probability_costs_infinity_or_nothing_with_a_finite_gradient() {
    let loss = nll().class_weights([1.0, 0.0, -2.0]).reduction(Reduction::None);
    let masked = case(loss, 3, &[NEG_INF; 9]).labels(&[0, 1, 2]);
    assert_close("losses", &masked.losses(), &[f64::INFINITY, 0.0, f64::NEG_INFINITY], 0.0);
    assert_close("gradient", &masked.gradient(), &[-1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 2.0], 0.0);
}

#[rstest]
fn a_label_whose_number_is_none_leaves_its_row_without_a_value(#[values(f32::NAN, INF)] bad: f32) {
    let two = |labels: &[i32]| {
        case(nll().ignore_index(-1).reduction(Reduction::None), 2, &[bad, -1.0, -0.5, bad]).labels(labels)
    };
    let (found, ignored) = (two(&[0, 0]), two(&[-1, 0]));
    assert_close(&found.name, &found.losses(), &[f64::NAN, 0.5], 0.0);
    assert_close(&found.name, &found.gradient(), &[f64::NAN, f64::NAN, -1.0, 0.0], 0.0);
    assert_close(&ignored.name, &ignored.losses(), &[0.0, 0.5], 0.0);
    assert_close(&ignored.name, &ignored.gradient(), &[0.0, 0.0, -1.0, 0.0], 0.0);
}

/// Labels that host checks would have refused.
#[rstest]
fn a_label_out_of_range_poisons_its_row_and_weighs_nothing(#[values(2, -1, i32::MAX, i32::MIN)] label: i32) {
    let rows = case(nll().ignore_index(-100), 2, &[-1.0, -2.0, -1.0, -2.0, -1.0, -2.0]).labels(&[0, label, 1]);
    assert_close(&rows.name, &rows.losses(), &[f64::NAN], 0.0);
    assert_close(&rows.name, &rows.gradient(), &[-0.5, 0.0, f64::NAN, f64::NAN, 0.0, -0.5], 0.0);
}

#[test]
fn it_saves_no_state() {
    let case: Case = case(nll(), 2, &[-1.0, -2.0]).labels(&[0]);
    assert_eq!(case.evaluate(Pass::Forward).row_state, None);
    let backward = case.evaluate(Pass::Backward).dlogits.expect("this pass has a gradient");
    assert_eq!(numbers(&backward), [-1.0, 0.0]);
}
