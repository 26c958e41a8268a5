use super::{
    Row, Softmax, Tensors, class_factor, dloss_values, logit_map, logits, row_softmax, side, target_values, top_k,
};
use crate::loss::{AnyDistribution, Class, Family, Form, Gradients, Shares, Support, Terms};
use crate::reference::Real;
use crate::validate::Problem;

/// A row's P and Q.
struct Pair {
    student_softmax: Option<Softmax>,
    teacher_softmax: Option<Softmax>,
    classes: Vec<Class<Real>>,
}

/// None for a row without a value.
fn pair(problem: &Problem, inputs: &Tensors<'_>, n: usize, loss: &dyn AnyDistribution) -> Option<Pair> {
    let Family::Distribution { student, teacher, support, .. } = problem.spec().family() else { return None };
    let (spec, n_classes) = (problem.spec(), problem.shape.n_classes);
    let (x, y) = (logits(problem, inputs, n), target_values(problem, inputs, n));

    // P, with class weights and label smoothing mixed in where the loss has them.
    let teacher_softmax = match teacher {
        Form::Logits => Some(Softmax::new(&y, logit_map(problem))?),
        _ => None,
    };
    let named = match support {
        Support::TopK => Some(top_k::probabilities(problem, inputs, n, teacher)?),
        Support::Dense => None,
    };
    let shares = spec.shares(n_classes);
    let p = |c: usize| match (&teacher_softmax, &named, teacher) {
        (Some(softmax), ..) => softmax.p(c),
        (None, Some(p), _) => p[c],
        (None, None, Form::LogProbs) => Real::from(y[c]).exp(),
        (None, None, _) if shares == Shares::WHOLE => Real::from(y[c]) * class_factor(spec, c),
        (None, None, _) => (Real::from(y[c]) * shares.target + shares.even) * class_factor(spec, c),
    };
    let log_p = |c: usize| match (&teacher_softmax, &named, teacher) {
        (Some(softmax), ..) => softmax.log_p(c),
        (None, None, Form::LogProbs) => Real::from(y[c]),
        (None, ..) => p(c).ln(),
    };
    let undefined = |v: f32| match teacher {
        Form::Probs => !v.is_finite() || (loss.reads_log_p() && v < 0.0),
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
    let q = |c: usize| student_softmax.as_ref().map_or_else(|| log_q(c).exp(), |softmax| softmax.p(c));

    let classes = (0..n_classes).map(|c| Class { p: p(c), q: q(c), log_p: log_p(c), log_q: log_q(c) }).collect();
    Some(Pair { student_softmax, teacher_softmax, classes })
}

/// Losses of one distribution against another.
pub(super) fn row(problem: &Problem, inputs: &Tensors<'_>, n: usize, loss: &dyn AnyDistribution) -> Option<Row> {
    let Family::Distribution { student, teacher, support, terms, gradients } = problem.spec().family() else {
        return None;
    };
    let (spec, n_classes) = (problem.spec(), problem.shape.n_classes);
    let Pair { student_softmax, teacher_softmax, classes } = pair(problem, inputs, n, loss)?;
    let y = target_values(problem, inputs, n);
    // Whether a term is 0 times infinity in PyTorch.
    let undefined = |c: usize| match (terms, teacher) {
        _ if !problem.has_pytorch_corners() || support == Support::TopK => false,
        (Terms::MeanUnderStudent | Terms::Normalised, _) => false,
        (_, Form::LogProbs) => y[c] == f32::NEG_INFINITY,
        (_, Form::Logits) => y[c] == f32::NEG_INFINITY && classes[c].log_q.value == f64::NEG_INFINITY,
        (_, Form::Probs) => classes[c].p.value == 0.0 && classes[c].log_q.value == f64::NEG_INFINITY,
    };
    let term = |(c, class)| if undefined(c) { Real::NAN } else { loss.loss_term(class) };
    let terms_of_loss: Vec<_> = classes.iter().enumerate().map(term).collect();
    let gaps: Option<f64> = classes.iter().map(|c| loss.gap(c).map(|gap| gap.value)).sum();
    let gaps = gaps.filter(|_| !(0..n_classes).any(undefined));
    let values = match (terms, gaps, student) {
        (Terms::PerElement, ..) => terms_of_loss,
        // Without cancellation; an f32 computation may still take differences of logarithms.
        (_, Some(gaps), Form::Logits) => {
            let mass = if teacher == Form::Logits { 1.0 } else { classes.iter().map(|c| c.p.value).sum() };
            let surplus = if terms == Terms::MeanUnderTeacher { mass - 1.0 } else { 1.0 - mass };
            vec![Real { value: gaps + surplus, ..Real::sum(terms_of_loss) }]
        }
        _ => vec![Real::sum(terms_of_loss)],
    };

    let per_element = terms == Terms::PerElement;
    // Each class's upstream gradient, where it has one of its own.
    let dloss = if per_element { dloss_values(problem, inputs, n) } else { None };
    let slope = |c: usize| loss.slope(&classes[c]).times(dloss.as_ref().map_or(Real::ONE, |dloss| dloss[c].into()));
    let slopes = match terms.slopes_known(teacher) {
        true => -Real::ONE,
        false => Real::sum((0..n_classes).map(slope)),
    };
    // z-loss, which T^2 does not scale.
    let z = problem.z_loss() / spec.scale();
    let lse = student_softmax.as_ref().filter(|_| z != 0.0).map_or(Real::ZERO, Softmax::lse);
    let gradient = |c: usize| match &student_softmax {
        // An infinite slope is in the whole row.
        _ if slopes.value.is_infinite() => Real::NAN,
        Some(softmax) => softmax.through_logit(c, slope(c) - classes[c].q * (slopes - lse * (2.0 * z))),
        // Free of the sum to 1, d(q h)/dlog q has q dh/dlog q = q as well.
        None if terms == Terms::MeanUnderStudent => slope(c) + classes[c].q,
        None => slope(c),
    };
    let mut state = Vec::new();
    state.extend([&student_softmax, &teacher_softmax].into_iter().flatten().flat_map(|s| [s.m, s.excess]));
    if !terms.slopes_known(teacher) {
        // Nothing has come from upstream yet.
        state.push(if per_element { Real::ZERO } else { slopes });
    }
    if gradients == Gradients::Both && teacher == Form::Logits {
        let divergence = Real::sum(values.iter().copied());
        state.push(if divergence.value.is_infinite() { Real::NAN } else { divergence });
    }
    let mut side = student_softmax.as_ref().map_or_else(Vec::new, |softmax| side(problem, softmax, None));
    if slopes.value.is_infinite() {
        state.fill(Real::NAN);
        side.fill(Real::NAN);
    }
    let with_z = |value: Real| if z == 0.0 { value } else { value + lse * lse * z };
    let values = values.into_iter().map(|value| with_z(value) * spec.scale()).collect();
    let gradient = (0..n_classes).map(|c| gradient(c) * spec.scale()).collect();
    Some(Row { side, ..Row::new(values, gradient, state) })
}

/// The gradient of `sum_c p_c h_c`, `h = log p - log q`, with respect to what P comes from.
pub(super) fn teacher_gradient(
    problem: &Problem,
    inputs: &Tensors<'_>,
    n: usize,
    loss: &dyn AnyDistribution,
) -> Option<Vec<Real>> {
    let Family::Distribution { teacher, .. } = problem.spec().family() else { return None };
    let Pair { teacher_softmax, classes, .. } = pair(problem, inputs, n, loss)?;
    let h = classes.iter().map(|c| loss.teacher_log_ratio(c)).collect::<Option<Vec<_>>>()?;
    let divergence = Real::sum(classes.iter().zip(&h).map(|(c, &h)| c.p.times(h)));
    let slope = |(i, (c, h)): (usize, (&Class<Real>, Real))| match &teacher_softmax {
        Some(_) if divergence.value.is_infinite() => Real::NAN,
        Some(softmax) => softmax.through_logit(i, c.p.times(h - divergence)),
        None if teacher == Form::LogProbs => c.p.times(h + 1.0),
        // Neither has the class.
        None if c.p.value == 0.0 && c.log_q.value == f64::NEG_INFINITY => Real::ZERO,
        None => h + 1.0,
    };
    Some(classes.iter().zip(h).enumerate().map(|class| slope(class) * problem.spec().scale()).collect())
}
