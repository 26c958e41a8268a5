//! Each line of the policy's table, as it is and as PyTorch has it. PyTorch's numbers are those of torch 1.13 on the
//! CPU in double precision: `cross_entropy`, `nll_loss` and `kl_div` of these inputs, backward from ones.

use std::f64::consts::LN_2;

use surprisal::{
    Corners, CrossEntropy, EmptyMean, Form, KlDivergence, Loss, NegativeLogLikelihood, Policy, Reduction, RowWeights,
    Side, SoftCrossEntropy, SoftmaxFocal,
};

use crate::losses;
use crate::support::case::{Case, case};
use crate::support::compare::assert_close;
use crate::support::device::variants;
use crate::support::spec::with_reduction;

const NAN: f64 = f64::NAN;
const INF: f64 = f64::INFINITY;
const NEG_INF: f32 = f32::NEG_INFINITY;
/// Of rows of three.
const MASKED: [f32; 3] = [0.0, NEG_INF, 0.0];

/// Losses and gradients under either choice: the oracle's, and on every engine the oracle's.
#[track_caller]
fn check(case: &Case, exact: (&[f64], &[f64]), pytorch: (&[f64], &[f64])) {
    for (corners, (values, gradient)) in [(Corners::Exact, exact), (Corners::PyTorch, pytorch)] {
        let case = case.clone().policy(Policy::new().corners(corners));
        assert_close(&case.name, &case.losses(), values, 1e-15);
        assert_close(&format!("gradient of {}", case.name), &case.gradient(), gradient, 1e-15);
        losses::check(variants(), &case);
    }
}

fn by_row(loss: impl Into<Loss>, n_classes: usize, logits: &[f32]) -> Case {
    case(with_reduction(&loss.into(), Reduction::None), n_classes, logits)
}

#[test]
fn ignored_rows_let_nan_into_their_gradient_in_pytorch() {
    let ce = CrossEntropy::new().ignore_index(-100);
    let smooth = ce.clone().class_weights([1.0, 2.0, 0.5]).label_smoothing(0.25);
    let rows = [[f32::NAN, 0.0, 1.0], [f32::INFINITY, 0.0, 1.0], [NEG_INF; 3], MASKED].concat();
    let gradient = [[NAN; 3], [NAN; 3], [NAN; 3], [0.0; 3]].concat();
    let mean = case(ce.clone(), 3, &rows).labels(&[-100; 4]);
    check(&mean, (&[NAN], &[0.0; 12]), (&[NAN], &gradient));
    let losses: [Loss; 3] = [ce.into(), smooth.into(), SoftmaxFocal::new(2.0).ignore_index(-100).into()];
    for loss in losses {
        check(&by_row(loss, 3, &rows).labels(&[-100; 4]), (&[0.0; 4], &[0.0; 12]), (&[0.0; 4], &gradient));
    }
    // Row weights and side outputs beside it: two passes.
    let side = Side::new().lse().argmax();
    let loss = CrossEntropy::new().ignore_index(-100).row_weights(RowWeights::Count).side(side);
    let weighed = by_row(loss, 3, &[f32::NAN; 6]).labels(&[-100, -100]).row_weights(&[2.0, 0.0]);
    check(&weighed, (&[0.0; 2], &[0.0; 6]), (&[0.0; 2], &[NAN, NAN, NAN, 0.0, 0.0, 0.0]));
    let nll = by_row(NegativeLogLikelihood::new().ignore_index(-100), 3, &[f32::NAN; 3]).labels(&[-100]);
    check(&nll, (&[0.0], &[0.0; 3]), (&[0.0], &[0.0; 3]));
}

#[test]
fn a_masked_target_of_weight_zero_is_nan_in_pytorch() {
    let weights = [1.0, 0.0, 1.0];
    let losses: [Loss; 3] = [
        CrossEntropy::new().class_weights(weights).into(),
        SoftmaxFocal::new(2.0).alpha(weights).into(),
        NegativeLogLikelihood::new().class_weights(weights).into(),
    ];
    for loss in losses {
        check(&by_row(&loss, 3, &MASKED).labels(&[1]), (&[0.0], &[0.0; 3]), (&[NAN], &[0.0; 3]));
    }
    // Nothing but smoothing: (1 - 1) times infinity.
    let smooth = by_row(CrossEntropy::new().label_smoothing(1.0), 3, &MASKED).labels(&[1]);
    let gradient = [1.0 / 6.0, -1.0 / 3.0, 1.0 / 6.0];
    check(&smooth, (&[INF], &gradient), (&[NAN], &gradient));
}

/// Rows of 3 and of 5: the fifth class begins a tile that is not full.
#[test]
fn smoothing_a_masked_class_of_weight_zero_is_nan_in_pytorch() {
    let smooth = CrossEntropy::new().label_smoothing(0.25);
    let masked = by_row(smooth.clone().class_weights([1.0, 0.0, 1.0]), 3, &MASKED).labels(&[2]);
    let gradient = [0.375, 0.0, -0.375];
    check(&masked, (&[LN_2 * 11.0 / 12.0], &gradient), (&[NAN], &gradient));
    let gradient = [5.0 / 12.0, -1.0 / 12.0, -1.0 / 3.0];
    check(&by_row(smooth.clone(), 3, &MASKED).labels(&[2]), (&[INF], &gradient), (&[INF], &gradient));
    // 0.75 log 5 + 0.05 (4 log 5), and p = 1/5: 0.15 + 0.04 - 0.05 w, 0.75 less at the target.
    let whole = by_row(smooth.class_weights([1.0, 0.0, 1.0, 1.0, 1.0]), 5, &[0.0; 5]).labels(&[2]);
    let (value, gradient) = (0.95 * 5.0_f64.ln(), [0.14, 0.19, -0.61, 0.14, 0.14]);
    check(&whole, (&[value], &gradient), (&[value], &gradient));
}

#[test]
fn a_masked_class_without_target_mass_is_nan_in_pytorch() {
    let soft = SoftCrossEntropy::new;
    let no_mass = by_row(soft(), 3, &MASKED).values(&[0.5, 0.0, 0.5]);
    check(&no_mass, (&[LN_2], &[0.0; 3]), (&[NAN], &[0.0; 3]));
    let no_weight = by_row(soft().class_weights([1.0, 0.0, 1.0]), 3, &MASKED).values(&[0.25, 0.5, 0.25]);
    check(&no_weight, (&[0.5 * LN_2], &[0.0; 3]), (&[NAN], &[0.0; 3]));
    let smoothed = by_row(soft().label_smoothing(0.25), 3, &MASKED).values(&[0.5, 0.0, 0.5]);
    let gradient = [1.0 / 24.0, -1.0 / 12.0, 1.0 / 24.0];
    check(&smoothed, (&[INF], &gradient), (&[INF], &gradient));
    // A tile that is not full has no masked classes.
    let whole = by_row(soft(), 5, &[0.0; 5]).values(&[0.5, 0.0, 0.0, 0.0, 0.5]);
    check(&whole, (&[5.0_f64.ln()], &[-0.3, 0.2, 0.2, 0.2, -0.3]), (&[5.0_f64.ln()], &[-0.3, 0.2, 0.2, 0.2, -0.3]));
}

/// P = (1/2, 0, 1/2), Q the same or a half, a quarter and a half, unnormalised.
#[test]
fn kl_of_classes_without_mass_is_nan_in_pytorch() {
    let half = -1.0_f32;
    // q = e^-1 each: log p + 1 under p = 1/2, or 0 under p = e^-1.
    let (of_probs, slope) = (1.0 - LN_2, [-0.5, 0.0, -0.5]);
    let kl = KlDivergence::from_log_probs;
    let probs = |log_q: f32| by_row(kl(Form::Probs), 3, &[half, log_q, half]).values(&[0.5, 0.0, 0.5]);
    check(&probs(NEG_INF), (&[of_probs], &slope), (&[NAN], &slope));
    check(&probs(-2.0), (&[of_probs], &slope), (&[of_probs], &slope));
    let e = (-1.0_f64).exp();
    for log_q in [NEG_INF, -2.0] {
        let logs = by_row(kl(Form::LogProbs), 3, &[half, log_q, half]).values(&[half, NEG_INF, half]);
        check(&logs, (&[0.0], &[-e, 0.0, -e]), (&[NAN], &[-e, 0.0, -e]));
    }
    let kl = KlDivergence::from_logits;
    check(&by_row(kl(Form::Probs), 3, &MASKED).values(&[0.5, 0.0, 0.5]), (&[0.0], &[0.0; 3]), (&[NAN], &[0.0; 3]));
    check(&by_row(kl(Form::Logits), 3, &MASKED).values(&MASKED), (&[0.0], &[0.0; 3]), (&[NAN], &[0.0; 3]));
    let open = by_row(kl(Form::Logits), 3, &[0.0; 3]).values(&MASKED);
    let (value, gradient) = ([1.5_f64.ln()], [-1.0 / 6.0, 1.0 / 3.0, -1.0 / 6.0]);
    check(&open, (&value, &gradient), (&value, &gradient));
}

#[test]
fn the_gradient_of_a_teacher_stays_exact() {
    for (target, y) in [(Form::Probs, [0.5, 0.0, 0.5]), (Form::Logits, MASKED), (Form::LogProbs, [-1.0, NEG_INF, -1.0])]
    {
        let kl = by_row(KlDivergence::from_logits(target).teacher_gradient(), 3, &MASKED).values(&y);
        let pytorch = kl.clone().policy(Policy::new().corners(Corners::PyTorch));
        assert!(pytorch.losses()[0].is_nan(), "{}", pytorch.name);
        assert_close(&pytorch.name, &pytorch.teacher_gradient(), &kl.teacher_gradient(), 0.0);
        losses::check(variants(), &pytorch);
    }
}

/// Lanes share a row: one of them meets what makes the loss NaN.
#[test]
fn one_masked_class_among_many_is_enough_in_pytorch() {
    let mut logits = vec![0.0; 300];
    logits[271] = NEG_INF;
    let (mut weights, mut y) = (vec![1.0; 300], vec![0.0; 300]);
    (weights[271], y[0]) = (0.0, 1.0);
    let smooth = CrossEntropy::new().label_smoothing(0.25).class_weights(weights);
    let losses = [by_row(smooth, 300, &logits).labels(&[0]), by_row(SoftCrossEntropy::new(), 300, &logits).values(&y)];
    for case in losses {
        assert!(case.losses()[0].is_finite(), "{}", case.name);
        let pytorch = case.policy(Policy::new().corners(Corners::PyTorch));
        assert!(pytorch.losses()[0].is_nan(), "{}", pytorch.name);
        losses::check(variants(), &pytorch);
    }
}

#[test]
fn kl_of_an_element_without_mass_is_nan_in_pytorch() {
    let each = |target| by_row(KlDivergence::from_logits(target).per_element(), 3, &MASKED);
    let pairs = [(Form::Probs, [0.5, 0.0, 0.5]), (Form::Logits, MASKED)];
    for (target, y) in pairs {
        check(&each(target).values(&y), (&[0.0; 3], &[0.0; 3]), (&[0.0, NAN, 0.0], &[0.0; 3]));
    }
    let open = by_row(KlDivergence::from_log_probs(Form::LogProbs).per_element(), 3, &[-1.0; 3]);
    let e = (-1.0_f64).exp();
    let gradient = [-e, 0.0, -e];
    check(&open.values(&[-1.0, NEG_INF, -1.0]), (&[0.0; 3], &gradient), (&[0.0, NAN, 0.0], &gradient));
}

/// Rows (0, 1, 2) and (0, 0, 0): losses log(1 + e + e^2) and log 3, weights 1 and -1. Where the gradient is NaN here,
/// PyTorch's is so at the targets, and infinite elsewhere.
#[test]
fn a_divisor_of_zero_divides_in_pytorch() {
    let logits = [0.0, 1.0, 2.0, 0.0, 0.0, 0.0];
    let ignored = case(CrossEntropy::new().ignore_index(-100), 3, &logits).labels(&[-100, -100]);
    check(&ignored, (&[NAN], &[0.0; 6]), (&[NAN], &[0.0; 6]));
    let nll = case(NegativeLogLikelihood::new().ignore_index(-100), 3, &logits).labels(&[-100, -100]);
    check(&nll, (&[NAN], &[0.0; 6]), (&[NAN], &[0.0; 6]));
    for (weights, value) in [([1.0, -1.0, 1.0], INF), ([-1.0, 1.0, 1.0], -INF), ([0.0, 0.0, 1.0], NAN)] {
        let cancelled = case(CrossEntropy::new().class_weights(weights), 3, &logits).labels(&[0, 1]);
        check(&cancelled, (&[NAN], &[0.0; 6]), (&[value], &[NAN; 6]));
        let policy = Policy::new().corners(Corners::PyTorch).empty_mean(EmptyMean::Zero);
        let zero = cancelled.policy(policy);
        assert_close(&zero.name, &zero.losses(), &[0.0], 0.0);
        losses::check(variants(), &zero);
    }
    // An ignored row beside them stays out.
    let weights = CrossEntropy::new().class_weights([1.0, -1.0, 1.0]).ignore_index(-100);
    let three = case(weights, 3, &[logits.as_slice(), &[0.0; 3]].concat()).labels(&[0, 1, -100]);
    check(&three, (&[NAN], &[0.0; 9]), (&[INF], &[NAN, NAN, NAN, NAN, NAN, NAN, 0.0, 0.0, 0.0]));
}
