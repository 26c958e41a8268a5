use super::functions::{ln_1p, sech_squared, tanh};
use super::lanes::{all_ordered, exp_nonpositive, exponentials, largest, sum};
use crate::validate::Problem;

/// A row's softmax as the pair `(m, D)`: the maximum, and the sum of `exp((x_c - m)/T)` over all classes but one that
/// attains it.
#[derive(Clone, Copy)]
pub(super) struct Softmax {
    /// The maximum as it was loaded, without the cap.
    pub m_logit: f32,
    pub m: f32,
    pub excess: f64,
    /// `log sum_c exp((x_c - m)/T)`
    pub log_sum: f64,
    /// `1 / sum_c exp((x_c - m)/T)`
    pub inv_sum: f64,
    /// `1/T`
    pub inv_t: f32,
}

impl Softmax {
    /// `log sum_c exp(x_c/T)`
    pub fn lse(&self) -> f64 {
        f64::from(self.m) * f64::from(self.inv_t) + self.log_sum
    }

    /// Of the class whose capped logit is `u`, and whose exponential is known if it was kept.
    #[inline(always)]
    pub fn class(&self, u: f32, e: Option<f32>) -> Truth {
        let shift = (f64::from(u) - f64::from(self.m)) * f64::from(self.inv_t);
        let e = e.unwrap_or_else(|| exp_nonpositive((u - self.m) * self.inv_t));
        let p = f64::from(e) * self.inv_sum;
        // Without cancellation: a class that attains the maximum leaves exactly D to the others.
        let q = if u == self.m { self.excess * self.inv_sum } else { 1.0 - p };
        Truth { log_p: shift - self.log_sum, p, q }
    }

    /// `-sum_c p_c log p_c`, from two terms of one sign.
    #[inline(always)]
    pub fn entropy(&self, u: &[f32], e: &[f32]) -> f64 {
        self.log_sum - self.mean_shift(u, e)
    }

    /// `sum_c p_c (x_c - m)/T`; what has underflowed adds nothing.
    #[inline(always)]
    pub fn mean_shift(&self, x: &[f32], e: &[f32]) -> f64 {
        let Softmax { m, inv_t, .. } = *self;
        let moment = sum([e, x], [0.0, m], |[e, x]| if e == 0.0 { 0.0 } else { e * ((x - m) * inv_t) });
        moment * self.inv_sum
    }
}

/// One class: its log-probability, its probability, and that of all others.
pub(super) struct Truth {
    pub log_p: f64,
    pub p: f64,
    pub q: f64,
}

/// What logits go through before the softmax: `u = cap tanh(x/cap)`, where there is a cap.
#[derive(Clone, Copy)]
pub(super) struct LogitMap {
    pub softcap: Option<f32>,
    /// `1/T`
    pub inv_t: f32,
}

impl LogitMap {
    pub fn of(problem: &Problem) -> LogitMap {
        LogitMap::new(problem.spec().rows().softcap, problem.spec().temperature())
    }

    pub fn new(softcap: Option<f32>, temperature: f32) -> LogitMap {
        LogitMap { softcap, inv_t: (1.0 / f64::from(temperature)) as f32 }
    }

    /// A row's softmax, with its capped logits: as it was `found`, or from the `(m, D)` that a forward pass saved, or
    /// from the logits. But for the first, leaves `exp((u_c - m)/T)` of each class in `e`, if that has room. None for a
    /// row without a value: a NaN, masks only or, of which a saved pair tells, an infinity that is no mask.
    #[inline(always)]
    pub fn softmax<'a>(
        &self,
        x: &'a [f32],
        found: Option<Softmax>,
        saved: Option<&[f32]>,
        room: &'a mut Vec<f32>,
        e: &mut [f32],
    ) -> Option<(&'a [f32], Softmax)> {
        if let Some(softmax) = found {
            return Some((x, softmax));
        }
        let m_logit = match saved {
            Some(state) => Some(state[0]).filter(|m| m.is_finite() && all_ordered(x)),
            None => largest(x),
        }?;
        let (u, m, inv_t) = (self.capped(x, room), self.cap(m_logit), self.inv_t);
        let excess = exponentials(u, m, inv_t, e);
        let excess = saved.map_or(excess, |state| state[1].into());
        Some((u, Softmax { m_logit, m, excess, log_sum: ln_1p(excess), inv_sum: 1.0 / (1.0 + excess), inv_t }))
    }

    /// The capped logits; -inf stays.
    #[inline(always)]
    fn capped<'a>(&self, x: &'a [f32], room: &'a mut Vec<f32>) -> &'a [f32] {
        if self.softcap.is_none() {
            return x;
        }
        room.resize(x.len(), 0.0);
        room.iter_mut().zip(x).for_each(|(u, &x)| *u = self.cap(x));
        room
    }

    #[inline(always)]
    pub fn cap(&self, x: f32) -> f32 {
        let Some(cap) = self.softcap.map(f64::from) else { return x };
        let capped = (cap * tanh(f64::from(x) / cap)) as f32;
        if x == f32::NEG_INFINITY { x } else { capped }
    }

    /// Gradients of logits from those of capped logits: times `1/cosh^2(x/cap)`.
    #[inline(always)]
    pub fn through(&self, x: &[f32], gradient: &mut [f32]) {
        let Some(cap) = self.softcap.map(f64::from) else { return };
        for (g, &x) in gradient.iter_mut().zip(x) {
            *g = (f64::from(*g) * sech_squared(f64::from(x) / cap)) as f32;
        }
    }
}
