use super::Tensors;
use crate::loss::{Form, Rest, TopK};
use crate::reference::Real;
use crate::validate::Problem;

/// A teacher that names its classes, as one probability per class; None for a row without a value.
pub(super) fn probabilities(problem: &Problem, inputs: &Tensors<'_>, n: usize, form: Form) -> Option<Vec<Real>> {
    let (TopK { k, rest }, n_classes) = (problem.spec().top_k()?, problem.shape.n_classes);
    let (ids, numbers) = (&inputs.ids[n * k..][..k], &inputs.target_probs.as_ref()?[n * k..][..k]);
    let mut masses = vec![None; n_classes];
    for (&id, &number) in ids.iter().zip(numbers).filter(|(id, _)| **id >= 0) {
        let named: &mut Option<Real> = masses.get_mut(id as usize)?;
        let mass = mass(number, form)?;
        *named = Some(named.map_or(mass, |other| other + mass));
    }
    let sum = Real::sum(masses.iter().flatten().copied());
    let others = masses.iter().filter(|mass| mass.is_none()).count() as f64;
    let even = match rest {
        Rest::Spread if others > 0.0 => (Real::ONE - sum).at_least(0.0) / others,
        _ => Real::ZERO,
    };
    let divisor = if rest == Rest::Renormalised && sum.value > 0.0 { sum } else { Real::ONE };
    Some(masses.into_iter().map(|mass| mass.map_or(even, |mass| mass / divisor)).collect())
}

fn mass(number: f32, form: Form) -> Option<Real> {
    match form {
        Form::LogProbs => Some(number).filter(|v| !v.is_nan() && *v != f32::INFINITY).map(|v| Real::from(v).exp()),
        _ => Some(number).filter(|v| v.is_finite() && *v >= 0.0).map(Real::from),
    }
}
