use super::{Row, Softmax, class_factor, logit_map, logits, row_softmax, target_values};
use crate::Inputs;
use crate::loss::{DistributionMaths, Family, Form, Shares};
use crate::reference::Real;
use crate::validate::Problem;

/// Losses of one distribution against another.
pub(super) fn row(problem: &Problem, inputs: &Inputs<'_>, n: usize, loss: &dyn DistributionMaths) -> Option<Row> {
    let Family::Distribution { student, teacher } = problem.spec().family() else { return None };
    let (spec, n_classes) = (problem.spec(), problem.shape.n_classes);
    let (x, y) = (logits(problem, inputs, n), target_values(problem, inputs, n));
    let temperature = spec.temperature();

    // P, with class weights and label smoothing mixed in where the loss has them.
    let teacher_softmax = match teacher {
        Form::Logits => Some(Softmax::new(y, logit_map(problem))?),
        _ => None,
    };
    let shares = spec.shares(n_classes);
    let p = |c: usize| match (&teacher_softmax, teacher) {
        (Some(softmax), _) => softmax.p(c),
        (None, Form::LogProbs) => Real::from(y[c]).exp(),
        (None, _) if shares == Shares::WHOLE => Real::from(y[c]) * class_factor(spec, c),
        (None, _) => (Real::from(y[c]) * shares.target + shares.even) * class_factor(spec, c),
    };
    let log_p = |c: usize| match (&teacher_softmax, teacher) {
        (Some(softmax), _) => softmax.log_p(c),
        (None, Form::LogProbs) => Real::from(y[c]),
        (None, _) => p(c).ln(),
    };
    let takes_log = loss.loss_term(0.0, 0.0).is_some();
    let undefined = |v: f32| match teacher {
        Form::Probs => !v.is_finite() || (takes_log && v < 0.0),
        _ => v.is_nan() || v == f32::INFINITY,
    };
    if teacher_softmax.is_none() && y.iter().any(|&v| undefined(v)) {
        return None;
    }

    // Q.
    let student_softmax = match student {
        Form::Logits => Some(row_softmax(problem, inputs, n)?),
        _ if x.iter().any(|&v| v.is_nan() || v == f32::INFINITY) => return None,
        _ => None,
    };
    let log_q = |c: usize| student_softmax.as_ref().map_or(Real::from(x[c]), |softmax| softmax.log_p(c));

    let mass = Real::sum((0..n_classes).map(p));
    let plogp = Real::sum((0..n_classes).map(|c| p(c).times(log_p(c))));
    let plogq = Real::sum((0..n_classes).map(|c| p(c).times(log_q(c))));
    let mut value = loss.loss(plogp, plogq);
    let terms = (0..n_classes).map(|c| loss.loss_term(log_p(c).value, log_q(c).value));
    if let (Some(terms), Form::Logits) = (terms.sum::<Option<f64>>(), student) {
        // Without cancellation; an f32 computation may still take the difference of the two sums.
        value.value = terms + if teacher == Form::Logits { 0.0 } else { mass.value - 1.0 };
    }
    let gradient = |c| match &student_softmax {
        Some(softmax) => (softmax.p(c) * mass - p(c)) / temperature,
        None => -p(c),
    };
    let mut state = Vec::new();
    state.extend(student_softmax.iter().flat_map(|softmax| [softmax.m, softmax.excess]));
    match &teacher_softmax {
        Some(softmax) => state.extend([softmax.m, softmax.excess]),
        None => state.push(mass),
    }
    let gradient = (0..n_classes).map(|c| gradient(c) * spec.scale()).collect();
    Some(Row::new(vec![value * spec.scale()], gradient, state))
}
