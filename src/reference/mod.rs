//! The same calls on the CPU in f64: plain loops, the oracle of every test and the engine where there is no GPU.

mod class_index;
mod distribution;
mod elementwise;
mod entropy;
mod real;
mod softmax;

pub use real::Real;

use crate::inputs::{Broadcast, Inputs, Output, Targets};
use crate::loss::{Divisor, Family, Maths, Spec};
use crate::validate::{Extent, Problem};
use softmax::Softmax;

/// An operation's results in f64, each with its [`Real::rounding`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Evaluation {
    /// As [`Output::values`].
    pub values: Vec<Real>,
    /// As [`Output::dlogits`].
    pub dlogits: Option<Vec<Real>>,
    /// As [`Output::dtargets`].
    pub dtargets: Option<Vec<Real>>,
    /// As [`Output::row_state`].
    pub row_state: Option<Vec<Real>>,
}

/// One row before reduction, upstream gradient and divisor.
struct Row {
    /// One value for the row, or one per class.
    values: Vec<Real>,
    gradient: Vec<Real>,
    state: Vec<Real>,
}

impl Row {
    /// A row that has no value.
    fn poisoned(problem: &Problem) -> Row {
        let n_values = if problem.extent() == Extent::Element { problem.shape.n_classes } else { 1 };
        Row {
            values: vec![Real::NAN; n_values],
            gradient: vec![Real::NAN; problem.shape.n_classes],
            state: vec![Real::NAN; problem.state_width()],
        }
    }
}

/// Evaluates host tensors. Lengths must fit the problem; labels out of range poison their row, as on a device.
pub fn evaluate(problem: &Problem, inputs: &Inputs<'_>) -> Evaluation {
    let shape = &problem.shape;
    let divisor = divisor(problem, inputs);
    let mut values = Vec::new();
    let mut dlogits = vec![Real::ZERO; shape.dlogits_len()];
    let mut dtargets = vec![Real::ZERO; shape.dtargets_len()];
    let mut row_state = Vec::new();
    for n in 0..shape.n_rows {
        let Row { values: row_values, gradient, state } = row(problem, inputs, n);
        let scaled = |c: usize, g: Real| {
            // Where there is no gradient, none flows, whatever comes from upstream.
            let g = if g.value == 0.0 { g } else { g * dloss(problem, inputs, n, c) };
            if g.value.is_nan() { g } else { divided(g, divisor, Real::ZERO) }
        };
        for (c, &g) in gradient.iter().enumerate() {
            dlogits[n * shape.dlogits_stride + c] = scaled(c, g);
        }
        for (c, g) in teacher_gradient(problem, inputs, n).into_iter().enumerate() {
            dtargets[n * shape.dtargets_stride + c] = scaled(c, g);
        }
        values.extend(row_values);
        row_state.extend(state);
    }
    let reduced = || divided(Real::sum(values.iter().copied()), divisor, Real::NAN);
    let values = match problem.extent() {
        Extent::Element => values,
        Extent::Row => values.chunks(row_width(problem)).map(|row| Real::sum(row.iter().copied())).collect(),
        Extent::Scalar => vec![reduced()],
    };
    Evaluation {
        values: if problem.writes_values() { values } else { Vec::new() },
        dlogits: problem.writes_dlogits().then_some(dlogits),
        dtargets: problem.writes_dtargets().then_some(dtargets),
        row_state: problem.writes_state().then_some(row_state),
    }
}

impl From<Evaluation> for Output {
    fn from(evaluation: Evaluation) -> Self {
        let round = |reals: Vec<Real>| reals.into_iter().map(|real| real.value as f32).collect();
        Output {
            values: round(evaluation.values),
            dlogits: evaluation.dlogits.map(round),
            dtargets: evaluation.dtargets.map(round),
            row_state: evaluation.row_state.map(round),
        }
    }
}

fn row(problem: &Problem, inputs: &Inputs<'_>, n: usize) -> Row {
    let row = match problem.spec().maths() {
        Maths::Softmax(output) => softmax::row(problem, inputs, n, output),
        Maths::ClassIndex(loss) => class_index::row(problem, inputs, n, loss),
        Maths::Distribution(loss) => distribution::row(problem, inputs, n, loss),
        Maths::RowEntropy => entropy::row(problem, inputs, n),
        Maths::Elementwise(loss) => Some(elementwise::row(problem, inputs, n, loss)),
    };
    row.unwrap_or_else(|| Row::poisoned(problem))
}

/// A row's gradient with respect to the targets; empty where none is wanted.
fn teacher_gradient(problem: &Problem, inputs: &Inputs<'_>, n: usize) -> Vec<Real> {
    match problem.spec().maths() {
        Maths::Distribution(loss) if problem.writes_dtargets() => {
            let gradient = distribution::teacher_gradient(problem, inputs, n, loss);
            gradient.unwrap_or_else(|| vec![Real::NAN; problem.shape.n_classes])
        }
        _ => Vec::new(),
    }
}

/// Values a row has before they are summed.
fn row_width(problem: &Problem) -> usize {
    match problem.spec().family() {
        Family::Softmax | Family::Elementwise => problem.shape.n_classes,
        _ => 1,
    }
}

fn logits<'a>(problem: &Problem, inputs: &Inputs<'a>, n: usize) -> &'a [f32] {
    &inputs.logits[n * problem.shape.logits_stride..][..problem.shape.n_classes]
}

fn target_values<'a>(problem: &Problem, inputs: &Inputs<'a>, n: usize) -> &'a [f32] {
    match inputs.targets {
        Targets::Values(values) => &values[n * problem.shape.targets_stride..][..problem.shape.n_classes],
        _ => &[],
    }
}

/// The row's softmax: from the saved state in a backward pass, from the logits otherwise.
fn row_softmax(problem: &Problem, inputs: &Inputs<'_>, n: usize) -> Option<Softmax> {
    let (x, temperature) = (logits(problem, inputs, n), problem.spec().temperature());
    match inputs.row_state {
        Some(state) if problem.reads_state() => {
            let state = &state[n * problem.state_width()..];
            Softmax::saved(x, temperature, state[0], state[1])
        }
        _ => Softmax::new(x, temperature),
    }
}

/// Factor number `c` of a vector that has one for all classes or one per class.
fn class_factor(spec: &dyn Spec, c: usize) -> f32 {
    match spec.class_factors() {
        [all] => *all,
        each => each[c],
    }
}

fn dloss(problem: &Problem, inputs: &Inputs<'_>, n: usize, c: usize) -> f32 {
    match (inputs.dloss, problem.extent()) {
        (None, _) => 1.0,
        // Used already: the gradient is linear in the whole row of it.
        (Some(_), _) if problem.spec().family().uses_whole_dloss() => 1.0,
        (Some(dloss), Extent::Scalar) => dloss[0],
        (Some(dloss), Extent::Row) => dloss[n],
        (Some(dloss), Extent::Element) => dloss[n * problem.shape.n_classes + c],
    }
}

fn divisor(problem: &Problem, inputs: &Inputs<'_>) -> Real {
    match (problem.divisor(), inputs.targets) {
        (Divisor::Number(number), _) => number.into(),
        (Divisor::Targets { weighted }, Targets::ClassIndex(labels)) => {
            let spec = problem.spec();
            let kept = labels.iter().filter_map(|&label| kept_class(problem, label));
            Real::sum(kept.map(|t| Real::from(if weighted { class_factor(spec, t) } else { 1.0 })))
        }
        _ => Real::from(inputs.divisor.unwrap_or(1.0)),
    }
}

/// The class a row counts for: none if its label is ignored or out of range.
fn kept_class(problem: &Problem, label: i32) -> Option<usize> {
    let in_range = usize::try_from(label).ok().filter(|&t| t < problem.shape.n_classes);
    in_range.filter(|_| problem.spec().ignore_index() != Some(label))
}

/// `sum / divisor`, or `otherwise` where the divisor is 0.
fn divided(sum: Real, divisor: Real, otherwise: Real) -> Real {
    match divisor.value {
        0.0 => otherwise,
        1.0 => sum,
        _ => sum / divisor,
    }
}

fn weight(problem: &Problem, inputs: &Inputs<'_>, n: usize, c: usize) -> f32 {
    match inputs.weights {
        None => 1.0,
        Some((weights, Broadcast::PerRow)) => weights[n],
        Some((weights, Broadcast::PerClass)) => weights[c],
        Some((weights, Broadcast::PerElement)) => weights[n * problem.shape.n_classes + c],
    }
}
