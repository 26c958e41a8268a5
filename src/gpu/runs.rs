//! Host tensors that exceed a buffer, as runs of rows, or of whole slabs. Pure: numbers in, numbers out, no device.

use std::ops::Range;

use super::pending::OutputLens;
use crate::inputs::{Broadcast, Inputs, Numbers, Targets};
use crate::validate::Extent;
use crate::{Problem, reference};

/// The batch in runs of slabs (rows, where it is in rows), first to last, each of as many as buffers of `room` bytes
/// hold, or of one. Each divides by the divisor of the whole batch.
pub(super) fn runs<'a>(problem: &Problem, inputs: &Inputs<'a>, room: u64) -> Vec<(Problem, Inputs<'a>)> {
    let outer = problem.shape.outer();
    let whole = (problem.clone(), *inputs);
    if outer < 2 || sizes(&whole).into_iter().all(|size| size <= room) {
        return vec![whole];
    }
    let divided = reference::divided(problem, inputs);
    // Every two slabs add as much to a tensor as the second and third; single ones of 16-bit numbers may end within a
    // word.
    let sizes_of = |n: usize| sizes(&run(&divided, inputs, 0..n.min(outer)));
    let growing = sizes_of(1).into_iter().zip(sizes_of(3)).filter(|(one, three)| one < three);
    let pairs = growing.map(|(one, three)| room.saturating_sub(one) / (three - one)).min().unwrap_or(0) as usize;
    let most = 1 + 2 * pairs + usize::from(sizes_of(2 + 2 * pairs).into_iter().all(|size| size <= room));
    let firsts = (0..outer).step_by(most);
    firsts.map(|first| run(&divided, inputs, first..outer.min(first + most))).collect()
}

fn run<'a>(problem: &Problem, inputs: &Inputs<'a>, slabs: Range<usize>) -> (Problem, Inputs<'a>) {
    let problem = problem.clone().with_outer(slabs.len());
    let (shape, extent) = (&problem.shape, problem.extent());
    let rows = slabs.start * shape.inner..slabs.end * shape.inner;
    let of_rows = |width: usize| rows.start * width..rows.end * width;
    let (labels, ids) = (of_rows(problem.labels_per_row()), of_rows(problem.ids_per_row()));
    let per_row = |values: &'a [f32], width: usize| &values[rows.start * width..rows.end * width];
    let strided =
        |values: Numbers<'a>, stride: usize, len: usize| values.slice(slabs.start * stride..slabs.start * stride + len);
    let Inputs { logits, targets, weights, row_weights, dloss, divisor: _, row_state, .. } = *inputs;
    let Inputs { teacher, teacher_ids, target_probs, .. } = *inputs;
    let inputs = Inputs {
        logits: strided(logits, shape.logits_stride, shape.logits_len()),
        targets: match targets {
            Targets::None => Targets::None,
            Targets::ClassIndex(all) => Targets::ClassIndex(all.slice(labels)),
            Targets::Values(values) => Targets::Values(strided(values, shape.targets_stride, shape.targets_len())),
        },
        teacher: teacher.map(|teacher| strided(teacher, shape.targets_stride, shape.targets_len())),
        teacher_ids: teacher_ids.map(|all| all.slice(ids.clone())),
        target_probs: target_probs.map(|probs| probs.slice(ids)),
        weights: weights.map(|(weights, broadcast)| match broadcast {
            Broadcast::PerRow => (per_row(weights, 1), broadcast),
            Broadcast::PerClass => (weights, broadcast),
            Broadcast::PerElement => (per_row(weights, shape.n_classes), broadcast),
        }),
        row_weights: row_weights.map(|row_weights| per_row(row_weights, 1)),
        dloss: dloss.map(|dloss| match extent {
            Extent::Scalar => dloss,
            Extent::Row => dloss.slice(rows.clone()),
            Extent::Element => dloss.slice(rows.start * shape.n_classes..rows.end * shape.n_classes),
        }),
        divisor: None,
        row_state: row_state.map(|state| per_row(state, problem.state_width())),
    };
    (problem, inputs)
}

/// Bytes of each buffer that a run takes: its inputs, all its outputs together, and scratch that grows with the rows.
fn sizes((problem, inputs): &(Problem, Inputs<'_>)) -> Vec<u64> {
    let words_per_row =
        |needed, width| if needed { (problem.shape.n_rows * width * size_of::<f32>()) as u64 } else { 0 };
    let kept_state = words_per_row(problem.passes_take_turns(), problem.state_width());
    let kept_side = words_per_row(problem.side_is_mean(), problem.spec().rows().side.width());
    let outputs = OutputLens::new(problem).total_bytes();
    let inputs = inputs.given().into_iter().map(|(_, bytes)| bytes.len() as u64);
    inputs.chain([outputs, kept_state, kept_side]).collect()
}

#[cfg(test)]
mod tests {
    use super::{runs, sizes};
    use crate::{
        CrossEntropy, Distillation, Form, Inputs, KlDivergence, Loss, Pass, Problem, Reduction, Rest, Shape, Side,
    };

    /// Ten rows of three logits, four apart: 156 bytes.
    fn rows_of_runs(loss: &Loss, pass: Pass, room: u64) -> Vec<usize> {
        let shape = Shape::new(10, 3).logits_stride(4);
        let problem = Problem::new(loss, pass, shape).expect("a sound problem");
        let (logits, labels, probs) = ([0.0; 39], [0; 10], [0.5; 10]);
        let mut inputs = Inputs::new(&logits).targets(&labels);
        if problem.takes_teacher_ids() {
            inputs = inputs.teacher_ids(&labels).target_probs(&probs);
        }
        let runs = runs(&problem, &inputs, room);
        assert!(runs.iter().flat_map(sizes).all(|size| size <= room));
        runs.iter().map(|(problem, _)| problem.shape.n_rows).collect()
    }

    #[test]
    fn a_batch_is_cut_only_where_a_tensor_exceeds_the_room() {
        let (mean, rows) = (CrossEntropy::new().into(), CrossEntropy::new().reduction(Reduction::None).into());
        assert_eq!(rows_of_runs(&mean, Pass::ForwardBackward, 156), [10]);
        assert_eq!(rows_of_runs(&mean, Pass::ForwardBackward, 152), [9, 1]);
        assert_eq!(rows_of_runs(&mean, Pass::ForwardBackward, 44), [3, 3, 3, 1]);
        // A gradient of three and a value for each row.
        assert_eq!(rows_of_runs(&rows, Pass::ForwardBackward, 44), [2, 2, 2, 2, 2]);
        // Five side outputs of each row, before their means are taken.
        let side = Side::new().lse().entropy().log_prob().prob().top_1().mean();
        assert_eq!(rows_of_runs(&CrossEntropy::new().side(side).into(), Pass::Forward, 156), [7, 3]);
        // The row state that passes by turns leave each other, of seven words: both losses', the label and its logit.
        let teacher = KlDivergence::from_logits(Form::Probs).top_k(1, Rest::Dropped);
        let distillation = Distillation::new(CrossEntropy::new(), teacher).into();
        assert_eq!(rows_of_runs(&distillation, Pass::ForwardBackward, 156), [5, 5]);
    }
}
