//! The CPU engine: f32 storage, rows in parallel, classes in vectors. What has no loops here is left to the rows of the
//! reference.

mod class_index;
mod distillation;
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
mod side;
mod softmax;
mod softmax_values;

use crate::inputs::{Inputs, Output, Targets};
use crate::loss::{Maths, Pass};
use crate::reference;
use crate::validate::Problem;
use class_index::ClassIndex;
use distillation::Distillation;
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
        Maths::Distillation => distill(problem, inputs, &mut results, logits),
    }
    results.reduce();
}

/// A sum of two losses: by their own rows, or by the reference's from saved row state, from a teacher that names its
/// classes, and with PyTorch's corners.
fn distill(problem: &Problem, inputs: &Inputs<'_>, results: &mut Results<'_>, logits: Reader<'_>) {
    let Some(sum) = problem.spec().distillation() else { return };
    let (hard_problem, soft_problem) = (problem.part(sum.hard.loss()), problem.part(sum.soft.loss()));
    let targets = inputs.teacher.map_or(Targets::None, Targets::Values);
    let soft_inputs = Inputs { targets, ..*inputs };
    let is_plain = problem.pass != Pass::Backward && !problem.has_pytorch_corners();
    let rows = match (hard_problem.spec().maths(), soft_problem.spec().maths()) {
        (Maths::ClassIndex(hard), Maths::Distribution(soft)) if is_plain => {
            let rows = |inputs| PerRow::new(problem, inputs).undivided();
            let hard = ClassIndex::new(&hard_problem, rows(inputs), hard);
            let soft = Distribution::new(&soft_problem, &soft_inputs, rows(&soft_inputs), soft);
            soft.and_then(|soft| Distillation::new(problem, PerRow::new(problem, inputs), hard, soft))
        }
        _ => None,
    };
    match rows {
        Some(rows) => results.compute(&rows, logits),
        None => results.compute(&reference::Batch::new(problem, inputs), logits),
    }
}
