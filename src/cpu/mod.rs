//! The CPU engine: f32 storage, rows in parallel, classes in vectors. What has no loops here is left to the rows of the
//! reference.

mod class_index;
mod distribution;
mod elementwise;
mod functions;
mod given_log_prob;
mod lanes;
mod per_class;
mod reference_rows;
mod results;
mod row_entropy;
mod rows;
mod run;
mod softmax;
mod softmax_values;

use crate::inputs::{Inputs, Output};
use crate::loss::Maths;
use crate::reference;
use crate::validate::Problem;
use class_index::ClassIndex;
use distribution::Distribution;
pub(crate) use distribution::{Pair, Sums};
pub(crate) use elementwise::Elements;
use elementwise::Elementwise;
use given_log_prob::GivenLogProb;
use results::Results;
use row_entropy::RowEntropy;
use rows::{PerRow, Reader};
pub(crate) use softmax_values::SoftmaxRow;
use softmax_values::SoftmaxValues;

/// Evaluates host tensors that fit the problem. What `output` holds is overwritten, its memory used again.
pub(crate) fn evaluate(problem: &Problem, inputs: &Inputs<'_>, output: &mut Output) {
    let problem = &reference::divided(problem, inputs);
    let logits = Reader { numbers: inputs.logits, stride: problem.shape.logits_stride };
    let mut results = Results::new(problem, output);
    let per_row = PerRow::new(problem, inputs);
    match problem.spec().maths() {
        Maths::Softmax(output) => results.compute(&SoftmaxValues::new(problem, inputs, per_row, output), logits),
        Maths::ClassIndex(loss) => results.compute(&ClassIndex::new(problem, per_row, loss), logits),
        Maths::GivenLogProb => results.compute(&GivenLogProb::new(problem, per_row), logits),
        Maths::Distribution(loss) => match Distribution::new(problem, inputs, per_row, loss) {
            Some(rows) => results.compute(&rows, logits),
            None => results.compute(&reference::Batch::new(problem, inputs), logits),
        },
        Maths::RowEntropy => results.compute(&RowEntropy::new(problem, per_row), logits),
        Maths::Elementwise(loss) => results.compute(&Elementwise::new(problem, inputs, per_row, loss), logits),
        Maths::Distillation => results.compute(&reference::Batch::new(problem, inputs), logits),
    }
    results.reduce();
}
