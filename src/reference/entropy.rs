use super::{Row, Tensors, row_softmax};
use crate::reference::Real;
use crate::validate::Problem;

/// Entropy of softmax(logits).
pub(super) fn row(problem: &Problem, inputs: &Tensors<'_>, n: usize) -> Option<Row> {
    let softmax = row_softmax(problem, inputs, n)?;
    let classes = 0..softmax.n_classes();
    let entropy = -Real::sum(classes.clone().map(|c| softmax.p(c).times(softmax.log_p(c))));
    let gradient = classes.map(|c| -softmax.p(c).times(softmax.log_p(c) + entropy)).collect();
    Some(Row { values: vec![entropy], gradient, state: vec![softmax.m, softmax.excess, entropy] })
}
