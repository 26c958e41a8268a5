use super::{Row, Tensors, class_factor, logits, target_values, weight};
use crate::loss::AnyElementwise;
use crate::reference::Real;
use crate::validate::Problem;

/// Losses with one term per element.
pub(super) fn row(problem: &Problem, inputs: &Tensors<'_>, n: usize, loss: &dyn AnyElementwise) -> Row {
    let (x, y) = (logits(problem, inputs, n), target_values(problem, inputs, n));
    let target = |c: usize| y.get(c).copied().map_or(Real::ZERO, Real::from);
    let term = |c: usize| {
        let (x, y) = (Real::from(x[c]), target(c));
        let weight = Real::from(weight(problem, inputs, n, c));
        if x.value.is_nan() || y.value.is_nan() || !weight.value.is_finite() {
            return (Real::NAN, Real::NAN);
        }
        let factor = f64::from(class_factor(problem.spec(), c));
        (weight.times(loss.loss(x, y, factor)), weight.times(loss.dloss_dx(x, y, factor)))
    };
    let (values, gradient) = (0..x.len()).map(term).unzip();
    Row::new(values, gradient, Vec::new())
}
