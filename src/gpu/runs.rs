//! Host tensors that exceed a buffer, as runs of rows. Pure: numbers in, numbers out, no device.

use std::ops::Range;

use super::pending::OutputLens;
use crate::inputs::{Broadcast, Inputs, Targets};
use crate::validate::Extent;
use crate::{Problem, reference};

/// The batch in runs of rows, first to last, each of as many rows as buffers of `room` elements hold, or of one. Each
/// divides by the divisor of the whole batch.
pub(super) fn runs<'a>(problem: &Problem, inputs: &Inputs<'a>, room: u64) -> Vec<(Problem, Inputs<'a>)> {
    let n_rows = problem.shape.n_rows;
    let whole = (problem.clone(), *inputs);
    if n_rows < 2 || lens(&whole).into_iter().all(|len| len <= room) {
        return vec![whole];
    }
    let [divisor, kept] = [problem.divisor(), problem.kept()].map(|d| reference::divisor(problem, inputs, d));
    let share = reference::extras_share(problem, divisor, kept);
    let divided = problem.clone().divided_by(divisor.value, kept.value, share.value);
    // Every row adds as much to a tensor as the second one.
    let [one, two] = [1, 2].map(|n_rows| lens(&run(&divided, inputs, 0..n_rows)));
    let growing = one.into_iter().zip(two).filter(|(one, two)| one < two);
    let most = growing.map(|(one, two)| 1 + room.saturating_sub(one) / (two - one)).min().unwrap_or(1);
    let firsts = (0..n_rows).step_by(most as usize);
    firsts.map(|first| run(&divided, inputs, first..n_rows.min(first + most as usize))).collect()
}

fn run<'a>(problem: &Problem, inputs: &Inputs<'a>, rows: Range<usize>) -> (Problem, Inputs<'a>) {
    let problem = problem.clone().with_rows(rows.len());
    let (shape, extent) = (&problem.shape, problem.extent());
    let per_row = |values: &'a [f32], width: usize| &values[rows.start * width..rows.end * width];
    let strided = |values: &'a [f32], stride: usize, len: usize| &values[rows.start * stride..][..len];
    let Inputs { logits, targets, weights, row_weights, dloss, divisor: _, row_state } = *inputs;
    let inputs = Inputs {
        logits: strided(logits, shape.logits_stride, shape.logits_len()),
        targets: match targets {
            Targets::None => Targets::None,
            Targets::ClassIndex(labels) => Targets::ClassIndex(&labels[rows.clone()]),
            Targets::Values(values) => Targets::Values(strided(values, shape.targets_stride, shape.targets_len())),
        },
        weights: weights.map(|(weights, broadcast)| match broadcast {
            Broadcast::PerRow => (per_row(weights, 1), broadcast),
            Broadcast::PerClass => (weights, broadcast),
            Broadcast::PerElement => (per_row(weights, shape.n_classes), broadcast),
        }),
        row_weights: row_weights.map(|row_weights| per_row(row_weights, 1)),
        dloss: dloss.map(|dloss| match extent {
            Extent::Scalar => dloss,
            Extent::Row => per_row(dloss, 1),
            Extent::Element => per_row(dloss, shape.n_classes),
        }),
        divisor: None,
        row_state: row_state.map(|state| per_row(state, problem.state_width())),
    };
    (problem, inputs)
}

/// Elements of each buffer that a run takes: its inputs, and all its outputs together.
fn lens((problem, inputs): &(Problem, Inputs<'_>)) -> [u64; 7] {
    let targets = match inputs.targets {
        Targets::None => 0,
        Targets::ClassIndex(labels) => labels.len(),
        Targets::Values(values) => values.len(),
    };
    let weights = inputs.weights.map_or(0, |(weights, _)| weights.len());
    let optional = [inputs.row_weights, inputs.dloss, inputs.row_state];
    let [row_weights, dloss, row_state] = optional.map(|values| values.map_or(0, <[f32]>::len));
    let outputs = OutputLens::new(problem).total();
    [inputs.logits.len(), targets, weights, row_weights, dloss, row_state, outputs].map(|len| len as u64)
}

#[cfg(test)]
mod tests {
    use super::{lens, runs};
    use crate::{CrossEntropy, Inputs, Loss, Pass, Problem, Reduction, Shape};

    /// Ten rows of three logits, four apart: 39 elements.
    fn rows_of_runs(loss: &Loss, pass: Pass, room: u64) -> Vec<usize> {
        let shape = Shape::new(10, 3).logits_stride(4);
        let problem = Problem::new(loss, pass, shape).expect("a sound problem");
        let (logits, labels) = ([0.0; 39], [0; 10]);
        let runs = runs(&problem, &Inputs::new(&logits).targets(&labels), room);
        assert!(runs.iter().flat_map(lens).all(|len| len <= room));
        runs.iter().map(|(problem, _)| problem.shape.n_rows).collect()
    }

    #[test]
    fn a_batch_is_cut_only_where_a_tensor_exceeds_the_room() {
        let (mean, rows) = (CrossEntropy::new().into(), CrossEntropy::new().reduction(Reduction::None).into());
        assert_eq!(rows_of_runs(&mean, Pass::ForwardBackward, 39), [10]);
        assert_eq!(rows_of_runs(&mean, Pass::ForwardBackward, 38), [9, 1]);
        assert_eq!(rows_of_runs(&mean, Pass::ForwardBackward, 11), [3, 3, 3, 1]);
        // A gradient of three and a value for each row.
        assert_eq!(rows_of_runs(&rows, Pass::ForwardBackward, 11), [2, 2, 2, 2, 2]);
    }
}
