//! Analytic gradients against central differences of the values.

use rstest::rstest;
use surprisal::{Form, Loss, Pass, Shape};

use crate::support::case::Case;
use crate::support::cases::{cases, padded, with_random_dloss};
use crate::support::compare::{assert_within, numbers};
use crate::support::losses;

/// To either side; logits are multiples of 2^-8 below 8, so both ends are exact in f32.
const STEP: f32 = 1.0 / 65536.0;
/// The largest third derivative: that of `-p log p`, `1/p^2`, at the least probability of the cases, 1/8.
const THIRD_DERIVATIVE: f64 = 64.0;
/// That of `-log p` there, `2/p^3`, times a weight and an upstream gradient of 2 each.
const THIRD_DERIVATIVE_OF_PROBS: f64 = 4096.0;

#[rstest]
#[case::softmax(losses::softmaxes())]
#[case::cross_entropy(losses::cross_entropies())]
#[case::negative_log_likelihood(losses::negative_log_likelihoods())]
#[case::soft_cross_entropy(losses::soft_cross_entropies())]
#[case::kl_divergence(losses::kl_divergences())]
#[case::reverse_kl_divergence(losses::reverse_kl_divergences())]
#[case::jensen_shannon(losses::jensen_shannons())]
#[case::total_variation(losses::total_variations())]
#[case::softmax_focal(losses::softmax_focals())]
#[case::row_options(losses::with_row_options())]
#[case::binary_cross_entropy(losses::binary_cross_entropies())]
#[case::sigmoid_focal(losses::sigmoid_focals())]
#[case::entropy(losses::entropies())]
#[case::distillation(losses::distillations())]
fn gradients_equal_finite_differences(#[case] losses: Vec<Loss>) {
    for case in cases(&losses) {
        assert_gradient_is_difference(&case);
        assert_gradient_is_difference(&padded(&with_random_dloss(&case)));
    }
}

fn assert_gradient_is_difference(case: &Case) {
    let losses = case.losses();
    let scale: f64 = losses.iter().enumerate().map(|(i, loss)| (loss * upstream(case, i)).abs()).sum();
    let third_derivative = match &case.loss {
        Loss::BinaryCrossEntropy(bce) if bce.input == Form::Probs => THIRD_DERIVATIVE_OF_PROBS,
        _ => THIRD_DERIVATIVE,
    };
    // Truncation h^2/6 f''', cancellation of two sums a few units of 2^-53 off.
    let h = f64::from(STEP);
    let bound = h * h / 6.0 * third_derivative + 16.0 * f64::EPSILON * (1.0 + scale) / h;
    assert_within(&case.name, &case.gradient(), &differences(case), |_| bound);
}

/// Central differences of `sum dloss * values`, laid out as the gradient; 0 in the padding.
fn differences(case: &Case) -> Vec<f64> {
    let Shape { n_rows, n_classes, logits_stride, dlogits_stride, .. } = case.shape;
    let mut differences = vec![0.0; case.shape.dlogits_len()];
    for (n, c) in (0..n_rows).flat_map(|n| (0..n_classes).map(move |c| (n, c))) {
        differences[n * dlogits_stride + c] = difference(case, n * logits_stride + c);
    }
    differences
}

fn difference(case: &Case, at: usize) -> f64 {
    let (above, below) = (moved(case, at, STEP), moved(case, at, -STEP));
    let (f_above, f_below) = (above.losses(), below.losses());
    let terms = f_above.iter().zip(&f_below).enumerate().map(|(i, (a, b))| upstream(case, i) * (a - b));
    terms.sum::<f64>() / f64::from(above.logits[at] - below.logits[at])
}

/// The case with one logit moved.
fn moved(case: &Case, at: usize, step: f32) -> Case {
    let mut case = case.clone();
    case.logits[at] += step;
    case
}

#[test]
fn teacher_gradients_equal_finite_differences() {
    for case in cases(&losses::kl_with_teacher_gradient()) {
        assert_teacher_gradient_is_difference(&case);
        assert_teacher_gradient_is_difference(&padded(&with_random_dloss(&case)));
    }
}

fn assert_teacher_gradient_is_difference(case: &Case) {
    let losses = case.losses();
    let scale: f64 = losses.iter().enumerate().map(|(i, loss)| (loss * upstream(case, i)).abs()).sum();
    let h = f64::from(STEP);
    // The third derivative of p log p is -1/p^2, p at least 4 in 4 + 5 x 64, times T^2 = 9 and an upstream gradient of
    // 2.
    let bound = h * h / 6.0 * 18.0 * 81.0 * 81.0 + 16.0 * f64::EPSILON * (1.0 + scale) / h;
    let Shape { n_rows, n_classes, targets_stride, dtargets_stride, .. } = case.shape;
    let mut differences = vec![0.0; case.shape.dtargets_len()];
    for (n, c) in (0..n_rows).flat_map(|n| (0..n_classes).map(move |c| (n, c))) {
        let at = n * targets_stride + c;
        let moved = |step: f32| {
            let mut case = case.clone();
            case.values.as_mut().expect("a teacher")[at] += step;
            case
        };
        let (above, below) = (moved(STEP), moved(-STEP));
        let values = |case: &Case| f64::from(case.values.as_ref().expect("a teacher")[at]);
        let (f_above, f_below) = (above.losses(), below.losses());
        let terms = f_above.iter().zip(&f_below).enumerate().map(|(i, (a, b))| upstream(case, i) * (a - b));
        differences[n * dtargets_stride + c] = terms.sum::<f64>() / (values(&above) - values(&below));
    }
    assert_within(&case.name, &case.teacher_gradient(), &differences, |_| bound);
}

fn upstream(case: &Case, i: usize) -> f64 {
    case.dloss.as_ref().map_or(1.0, |dloss| f64::from(dloss[i]))
}

#[test]
fn values_do_not_depend_on_strides() {
    for case in cases(&losses::all()) {
        assert_within(&case.name, &padded(&case).losses(), &case.losses(), |_| 0.0);
    }
}

#[test]
fn gradient_padding_is_zero() {
    for case in cases(&losses::all()) {
        let padded = padded(&case);
        let (stride, n_classes) = (padded.shape.dlogits_stride, padded.shape.n_classes);
        let (gradient, contiguous) = (padded.gradient(), case.gradient());
        for (row, expected) in gradient.chunks(stride).zip(contiguous.chunks(n_classes)) {
            assert_within(&case.name, &row[..n_classes], expected, |_| 0.0);
            assert!(row[n_classes..].iter().all(|&g| g == 0.0), "{}: padding {:?}", case.name, &row[n_classes..]);
        }
    }
}

#[test]
fn backward_from_saved_state_equals_the_fused_gradient() {
    for case in cases(&losses::all()) {
        let case = with_random_dloss(&case);
        let fused = case.evaluate(Pass::ForwardBackward).dlogits.expect("this pass has a gradient");
        let backward = case.evaluate_backward();
        assert!(backward.values.is_empty(), "{}: values {:?}", case.name, backward.values);
        let backward = backward.dlogits.expect("this pass has a gradient");
        // The state's one rounding to f32 is among those that `rounding` counts, in units of 2^-24.
        let bound = |i: usize| 1.001 * fused[i].rounding / 16_777_216.0;
        assert_within(&case.name, &numbers(&backward), &numbers(&fused), bound);
        let of_teacher = [case.evaluate(Pass::ForwardBackward), case.evaluate_backward()].map(|e| e.dtargets);
        let [fused, backward] = of_teacher.map(Option::unwrap_or_default);
        let bound = |i: usize| 1.001 * fused[i].rounding / 16_777_216.0;
        assert_within(&case.name, &numbers(&backward), &numbers(&fused), bound);
    }
}
