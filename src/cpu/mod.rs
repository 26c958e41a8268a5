//! The CPU engine: f32 storage, rows in parallel, classes in vectors.

mod class_index;
mod distillation;
mod distribution;
mod elementwise;
mod functions;
mod given_log_prob;
mod labelled;
mod lanes;
mod pair;
mod per_class;
mod results;
mod row_entropy;
mod rows;
mod run;
mod short_rows;
mod side;
mod softmax;
mod softmax_values;
mod top_k;

use crate::inputs::{Inputs, Output, Targets};
use crate::loss::Maths;
use crate::reference;
use crate::validate::Problem;
use class_index::ClassIndex;
use distillation::Distillation;
use distribution::Distribution;
pub(crate) use elementwise::Elements;
use elementwise::Elementwise;
use given_log_prob::GivenLogProb;
pub(crate) use pair::{Columns, Pair, Sums};
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
        Maths::Distribution(loss) => results.compute(&Distribution::new(problem, inputs, per_row, loss), logits),
        Maths::RowEntropy => results.compute(&RowEntropy::new(problem, per_row), logits),
        Maths::Elementwise(loss) => results.compute(&Elementwise::new(problem, inputs, per_row, loss), logits),
        Maths::Distillation => distill(problem, inputs, per_row, &mut results, logits),
    }
    results.reduce();
}

/// A sum of two losses by their own rows.
fn distill(problem: &Problem, inputs: &Inputs<'_>, per_row: PerRow<'_>, results: &mut Results<'_>, logits: Reader<'_>) {
    let Some(sum) = problem.spec().distillation() else { return };
    let (hard_problem, soft_problem) = (problem.part(sum.hard.loss()), problem.part(sum.soft.loss()));
    let soft_inputs = Inputs { targets: inputs.teacher.map_or(Targets::None, Targets::Values), ..*inputs };
    let (Maths::ClassIndex(hard), Maths::Distribution(soft)) =
        (hard_problem.spec().maths(), soft_problem.spec().maths())
    else {
        return;
    };
    let rows = |inputs| PerRow::new(problem, inputs).undivided();
    let soft_rows = rows(&soft_inputs).saved_from(hard_problem.state_width());
    let hard = ClassIndex::new(&hard_problem, rows(inputs), hard);
    let soft = Distribution::new(&soft_problem, &soft_inputs, soft_rows, soft);
    results.compute(&Distillation::new(problem, sum, per_row, hard, soft), logits);
}
