use super::{Row, Tensors, class_factor, is_ignored, kept_class, logits, product};
use crate::reference::Real;
use crate::validate::Problem;

/// `-w_t lp_t` of given log-probabilities; None if the label or `lp_t` is no such thing.
pub(super) fn row(problem: &Problem, inputs: &Tensors<'_>, n: usize) -> Option<Row> {
    let mut gradient = vec![Real::ZERO; problem.shape.n_classes];
    if is_ignored(problem, inputs.labels[n]) {
        return Some(Row::new(vec![Real::ZERO], gradient, Vec::new()));
    }
    let t = kept_class(problem, inputs.labels[n])?;
    let log_p = Some(logits(problem, inputs, n)[t]).filter(|lp| !lp.is_nan() && *lp != f32::INFINITY)?;
    let w = Real::from(class_factor(problem.spec(), t));
    gradient[t] = -w;
    Some(Row::new(vec![product(problem, w, -Real::from(log_p))], gradient, Vec::new()))
}
