use super::{Row, class_factor, logits, target_values, weight};
use crate::Inputs;
use crate::loss::{Loss, binary_cross_entropy, entropy, sigmoid_focal};
use crate::reference::Real;
use crate::validate::Problem;

/// Losses with one term per element.
pub(super) fn row(problem: &Problem, inputs: &Inputs<'_>, n: usize) -> Row {
    let (x, y) = (logits(problem, inputs, n), target_values(problem, inputs, n));
    let target = |c: usize| y.get(c).copied().map_or(Real::ZERO, Real::from);
    let term = |c: usize| {
        let (x, y) = (Real::from(x[c]), target(c));
        if x.value.is_nan() || y.value.is_nan() {
            return (Real::NAN, Real::NAN);
        }
        let (loss, dloss_dx) = match &problem.loss {
            Loss::SigmoidFocal(focal) => {
                let (gamma, factors) = (f64::from(focal.gamma), focal.factors());
                (sigmoid_focal::loss(x, y, gamma, factors), sigmoid_focal::dloss_dx(x, y, gamma, factors))
            }
            Loss::Entropy(_) => (entropy::loss(x), entropy::dloss_dx(x)),
            _ => {
                let pos_weight = f64::from(class_factor(problem.spec(), c));
                (binary_cross_entropy::loss(x, y, pos_weight), binary_cross_entropy::dloss_dx(x, y, pos_weight))
            }
        };
        let weight = Real::from(weight(problem, inputs, n, c));
        (weight.times(loss), weight.times(dloss_dx))
    };
    let (values, gradient) = (0..x.len()).map(term).unzip();
    Row { values, gradient, state: Vec::new() }
}
