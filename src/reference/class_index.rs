use super::{Row, Tensors, class_factor, is_ignored, kept_class, product, row_softmax, side};
use crate::loss::AnyClassIndex;
use crate::reference::Real;
use crate::validate::Problem;

/// Losses of a softmax against one class index. `share` brings terms without class weights to the divisor of the
/// others.
pub(super) fn row(
    problem: &Problem,
    inputs: &Tensors<'_>,
    n: usize,
    share: Real,
    loss: &dyn AnyClassIndex,
) -> Option<Row> {
    let (spec, n_classes) = (problem.spec(), problem.shape.n_classes);
    if is_ignored(problem, inputs.labels[n]) && !problem.has_pytorch_corners() {
        // No logit seen: m is the lowest number, D is -1.
        return Some(silent(problem, Real::ZERO, [Real::from(f32::MIN), -Real::ONE]));
    }
    if is_ignored(problem, inputs.labels[n]) {
        let softmax = row_softmax(problem, inputs, n);
        return Some(match softmax {
            Some(softmax) => silent(problem, Real::ZERO, [softmax.m, softmax.excess]),
            None => silent(problem, Real::NAN, [Real::NAN; 2]),
        });
    }
    let t = kept_class(problem, inputs.labels[n])?;
    let softmax = row_softmax(problem, inputs, n)?;
    let (log_p, q) = (softmax.log_p(t), softmax.q(t));
    // The target's share of the loss, then the share that label smoothing spreads over all classes.
    let (shares, w) = (spec.shares(n_classes), |c| Real::from(class_factor(spec, c)));
    let hard = w(t) * shares.target;
    let spread = |c| if shares.even == 0.0 { Real::ZERO } else { w(c) * shares.even };
    let sum_spread = Real::sum((0..n_classes).map(spread));
    let smoothed = if shares.even == 0.0 { 0..0 } else { 0..n_classes };
    let smooth = Real::sum(smoothed.map(|c| product(problem, spread(c), -softmax.log_p(c))));
    // z-loss and poly-1.
    let (z, e1, lse) = (f64::from(spec.rows().z_loss), f64::from(spec.poly1()), softmax.lse());
    let extras = if z == 0.0 { Real::ZERO } else { lse * lse * z } + if e1 == 0.0 { Real::ZERO } else { q * e1 };
    // Without extras it does not matter what would bring them to the divisor.
    let share = if z == 0.0 && e1 == 0.0 { Real::ZERO } else { share };
    let value = product(problem, hard, loss.loss(log_p, q)) + smooth + extras * share;

    let slope = hard.times(loss.dloss_dlog_p(log_p, q)) - softmax.p(t) * e1 * share;
    let even = sum_spread + lse * (2.0 * z) * share;
    let gradient = |j| {
        let delta_minus_p = if j == t { q } else { -softmax.p(j) };
        softmax.through_logit(j, slope * delta_minus_p + (softmax.p(j).times(even) - spread(j)))
    };
    let row = Row::new(vec![value], (0..n_classes).map(gradient).collect(), vec![softmax.m, softmax.excess]);
    Some(Row { side: side(problem, &softmax, Some(t)), ..row })
}

/// A row that adds nothing to the loss.
fn silent(problem: &Problem, gradient: Real, state: [Real; 2]) -> Row {
    let row = Row::new(vec![Real::ZERO], vec![gradient; problem.shape.n_classes], state.to_vec());
    Row { side: vec![Real::ZERO; problem.spec().rows().side.width()], ..row }
}
