use super::{Row, row_softmax};
use crate::Inputs;
use crate::validate::Problem;

/// Entropy of softmax(logits).
pub(super) fn row(problem: &Problem, inputs: &Inputs<'_>, n: usize) -> Option<Row> {
    let softmax = row_softmax(problem, inputs, n)?;
    let entropy = softmax.entropy();
    let gradient = (0..softmax.n_classes()).map(|c| -softmax.p(c).times(softmax.log_p(c) + entropy)).collect();
    Some(Row::new(vec![entropy], gradient, vec![softmax.m, softmax.excess, entropy]))
}
