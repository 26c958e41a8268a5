use super::{Row, Tensors, class_factor, kept_class, row_softmax};
use crate::loss::ClassIndexMaths;
use crate::reference::Real;
use crate::validate::Problem;

/// Losses of a softmax against one class index.
pub(super) fn row(problem: &Problem, inputs: &Tensors<'_>, n: usize, loss: &dyn ClassIndexMaths) -> Option<Row> {
    let (spec, n_classes) = (problem.spec(), problem.shape.n_classes);
    if spec.ignore_index() == Some(inputs.labels[n]) {
        // No logit seen: m is the lowest number, D is -1.
        let state = vec![Real::from(f32::MIN), -Real::ONE];
        return Some(Row { values: vec![Real::ZERO], gradient: vec![Real::ZERO; n_classes], state });
    }
    let t = kept_class(problem, inputs.labels[n])?;
    let softmax = row_softmax(problem, inputs, n)?;
    let (log_p, q) = (softmax.log_p(t), softmax.q(t));
    // The target's share of the loss, then the share that label smoothing spreads over all classes.
    let eps = f64::from(spec.label_smoothing());
    let w = |c| Real::from(class_factor(spec, c));
    let (hard, even) = (w(t) * (1.0 - eps), eps / n_classes as f64);
    let mut value = hard.times(loss.loss(log_p, q));
    let spread = |c| if even == 0.0 { Real::ZERO } else { w(c) * even };
    let sum_spread = Real::sum((0..n_classes).map(spread));
    value = value + Real::sum((0..n_classes).map(|c| spread(c).times(-softmax.log_p(c))));
    let slope = loss.dloss_dlog_p(log_p, q);
    let gradient = |j| {
        let delta_minus_p = if j == t { q } else { -softmax.p(j) };
        hard.times(slope * delta_minus_p) + (softmax.p(j) * sum_spread - spread(j))
    };
    Some(Row {
        values: vec![value],
        gradient: (0..n_classes).map(gradient).collect(),
        state: vec![softmax.m, softmax.excess],
    })
}
