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
        let mass = TopK::mass(number, form)?;
        *named = Some(named.map_or(mass, |other| other + mass));
    }
    let given = || masses.iter().flatten().copied();
    let sum = sum_of(given());
    if sum.value > f64::from(f32::MAX) {
        return None;
    }
    let others = masses.iter().filter(|mass| mass.is_none()).count() as f64;
    let even = match rest {
        Rest::Spread if others > 0.0 => rest_of(given()).at_least(0.0) / others,
        _ => Real::ZERO,
    };
    let divisor = if rest == Rest::Renormalised && sum.value > 0.0 { sum } else { Real::ONE };
    Some(masses.into_iter().map(|mass| mass.map_or(even, |mass| mass / divisor)).collect())
}

/// The masses' sum, rounded once: kernels carry along what rounding takes off, as [`rest_of`] does.
fn sum_of(masses: impl Iterator<Item = Real>) -> Real {
    let (value, inherited) = masses.fold((0.0, 0.0), |(sum, error), mass| (sum + mass.value, error + mass.rounding));
    Real { value, rounding: inherited + value }
}

/// 1 less the masses, with what rounding takes off (Knuth's two-sum); in f32 kernels do so twice over. Exact but for the
/// masses' own errors and two roundings.
fn rest_of(masses: impl Iterator<Item = Real>) -> Real {
    let (mut rest, mut tail, mut inherited) = (1.0, 0.0, 0.0);
    for Real { value: mass, rounding } in masses {
        let difference = rest - mass;
        let of_mass = rest - difference;
        let of_rest = difference + of_mass;
        tail += (rest - of_rest) + (of_mass - mass);
        (rest, inherited) = (difference, inherited + rounding);
    }
    let value: f64 = rest + tail;
    Real { value, rounding: inherited + 2.0 * value.abs() }
}
