use std::borrow::Cow;

use crate::inputs::{Inputs, Targets};
use crate::loss::{Form, Rest, TopK};

/// A teacher that names k classes of a row, as one probability per class.
pub(super) struct NamedClasses<'a> {
    ids: Cow<'a, [i32]>,
    numbers: Cow<'a, [f32]>,
    form: Form,
    top_k: TopK,
}

impl<'a> NamedClasses<'a> {
    /// Ids beside labels are a sum's; a divergence by itself has them as its targets.
    pub fn new(inputs: &Inputs<'a>, form: Form, top_k: TopK) -> Option<Self> {
        let ids = match (inputs.teacher_ids, inputs.targets) {
            (Some(ids), _) | (None, Targets::ClassIndex(ids)) => ids.read(),
            _ => return None,
        };
        Some(NamedClasses { ids, numbers: inputs.target_probs?.widen(), form, top_k })
    }

    /// P of row `n`, of as many classes as there is room for; none for a row without a value.
    pub fn probabilities(&self, n: usize, p: &mut [f64]) -> Option<()> {
        let TopK { k, rest } = self.top_k;
        // NaN: not named so far.
        p.fill(f64::NAN);
        let (mut sum, mut left, mut tail, mut n_named) = (0.0, 1.0, 0.0, 0);
        for (&id, &number) in self.ids[n * k..][..k].iter().zip(&self.numbers[n * k..][..k]) {
            let Ok(c) = usize::try_from(id) else { continue };
            let (place, mass) = (p.get_mut(c)?, TopK::mass::<f64>(number, self.form)?);
            n_named += usize::from(place.is_nan());
            *place = mass + if place.is_nan() { 0.0 } else { *place };
            sum += mass;
            // 1 less the masses, with what rounding takes off (Knuth's two-sum).
            let difference = left - mass;
            let of_mass = left - difference;
            tail += (left - (difference + of_mass)) + (of_mass - mass);
            left = difference;
        }
        if sum > f64::from(f32::MAX) {
            return None;
        }
        let n_others = p.len() - n_named;
        let even = if rest == Rest::Spread && n_others > 0 { (left + tail).max(0.0) / n_others as f64 } else { 0.0 };
        let divisor = if rest == Rest::Renormalised && sum > 0.0 { sum } else { 1.0 };
        p.iter_mut().for_each(|p| *p = if p.is_nan() { even } else { *p / divisor });
        Some(())
    }
}
