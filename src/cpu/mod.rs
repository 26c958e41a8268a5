//! The CPU engine: f32 storage, rows in parallel, softmax losses in vectors; every other loss by the reference's rows.

mod class_index;
mod distribution;
mod elementwise;
mod functions;
mod lanes;
mod reference_rows;
mod results;
mod rows;
mod softmax;

use crate::inputs::{Inputs, Output};
use crate::loss::Maths;
use crate::reference;
use crate::validate::Problem;
use class_index::ClassIndex;
use distribution::Distribution;
pub(crate) use distribution::{Pair, Sums};
pub(crate) use elementwise::Elements;
use elementwise::Elementwise;
use results::Results;
use rows::{PerRow, Reader};

/// Evaluates host tensors that fit the problem. What `output` holds is overwritten, its memory used again.
pub(crate) fn evaluate(problem: &Problem, inputs: &Inputs<'_>, output: &mut Output) {
    let problem = &reference::divided(problem, inputs);
    let logits = Reader { numbers: inputs.logits, stride: problem.shape.logits_stride };
    let mut results = Results::new(problem, output);
    let per_row = PerRow::new(problem, inputs);
    match problem.spec().maths() {
        Maths::ClassIndex(loss) => results.compute(&ClassIndex::new(problem, per_row, loss), logits),
        Maths::Elementwise(loss) => {
            results.compute(&Elementwise::new(problem, inputs, per_row, loss), logits);
        }
        Maths::Distribution(loss) => match Distribution::new(problem, inputs, per_row, loss) {
            Some(rows) => results.compute(&rows, logits),
            None => results.compute(&reference::Batch::new(problem, inputs), logits),
        },
        _ => results.compute(&reference::Batch::new(problem, inputs), logits),
    }
    results.reduce();
}
