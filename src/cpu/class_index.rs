use super::lanes::wide_sum;
use super::rows::{PerRow, RowOut, Rows, Scratch, Standing};
use super::side;
use super::softmax::{LogitMap, Softmax};
use crate::Side;
use crate::loss::AnyClassIndex;
use crate::number::Number;
use crate::validate::Problem;

/// Losses of a softmax against one class index. The names are those of `shaders/class_index/family.wgsl`. Where a row
/// has room for two values, the second is the first without z-loss.
pub(super) struct ClassIndex<'a> {
    per_row: PerRow<'a>,
    loss: &'a dyn AnyClassIndex,
    map: LogitMap,
    side: Side,
    /// One factor per class, or one for all.
    factors: &'a [f32],
    /// The target's share of the loss, and what label smoothing has at every class.
    target: f64,
    even: f64,
    /// `sum_c w_c even`
    sum_spread: f64,
    /// z-loss and poly-1, brought to the divisor of the others.
    z: f64,
    e1: f64,
}

impl<'a> ClassIndex<'a> {
    pub fn new(problem: &'a Problem, per_row: PerRow<'a>, loss: &'a dyn AnyClassIndex) -> Self {
        let (spec, n_classes) = (problem.spec(), problem.shape.n_classes);
        let (factors, shares) = (spec.class_factors(), spec.shares(n_classes));
        let sum_factors = match factors {
            [all] => f64::from(*all) * n_classes as f64,
            each => each.iter().copied().map(f64::from).sum(),
        };
        ClassIndex {
            per_row,
            loss,
            map: LogitMap::of(problem),
            side: spec.rows().side,
            factors,
            target: shares.target,
            even: shares.even,
            sum_spread: sum_factors * shares.even,
            z: f64::from(spec.rows().z_loss).times(problem.extras_share),
            e1: f64::from(spec.poly1()).times(problem.extras_share),
        }
    }
}

impl Rows for ClassIndex<'_> {
    #[inline(always)]
    fn row(&self, n: usize, x: &[f32], found: Option<Softmax>, scratch: &mut Scratch, out: RowOut<'_>) {
        let (weight, t) = match self.per_row.standing(n) {
            Standing::Kept { weight, class } => (weight, class),
            Standing::Poisoned => return out.poison(&self.side),
            Standing::Silent => return out.silence(&[]),
            // No logit seen: m is the lowest number, D is -1.
            Standing::Ignored if !self.per_row.pytorch => return out.silence(&[f32::MIN, -1.0]),
            Standing::Ignored => return self.ignored_as_in_pytorch(n, x, scratch, out),
        };
        let wants_entropy = !out.side.is_empty() && self.side.entropy;
        let Scratch { capped, exponentials, .. } = scratch;
        let e = if out.dlogits.is_empty() && wants_entropy {
            exponentials.resize(x.len(), 0.0);
            exponentials
        } else {
            &mut *out.dlogits
        };
        let Some((u, softmax)) = self.map.softmax(x, found, self.per_row.saved(n), capped, e) else {
            return out.poison(&self.side);
        };

        let (lse, inv_sum, truth) = (softmax.lse(), softmax.inv_sum, softmax.class(u[t], e.get(t).copied()));
        let hard = self.factor(t) * self.target;
        let [loss, dloss_dlog_p] = self.loss.both(truth.log_p, truth.q);

        if let [value, apart @ ..] = out.values {
            let poly1 = if self.e1 == 0.0 { 0.0 } else { self.e1 * truth.q };
            let without_z = self.product(hard, loss) + self.smooth(u, &softmax) + poly1;
            let z_loss = if self.z == 0.0 { 0.0 } else { self.z * lse * lse };
            *value = (weight * (without_z + z_loss)) as f32;
            apart.fill((weight * without_z) as f32);
        }
        if let [m, excess] = out.state {
            (*m, *excess) = (softmax.m_logit, softmax.excess as f32);
        }
        if !out.side.is_empty() {
            let entropy = if wants_entropy { softmax.entropy(u, e) } else { 0.0 };
            side::write(&self.side, x, &softmax, entropy, Some((t, &truth)), out.side);
        }
        if !out.dlogits.is_empty() {
            let slope = hard.times(dloss_dlog_p) - truth.p * self.e1;
            let even = self.sum_spread + 2.0 * self.z * lse;
            let spread = if self.even == 0.0 { 0.0 } else { self.factor(t) * self.even };
            let at_t = slope * truth.q + (truth.p.times(even) - spread);
            self.gradient(n, x, t, [(even - slope) * inv_sum, at_t].map(|g| g * weight), weight, out.dlogits);
        }
    }

    fn begins_with_softmax(&self) -> Option<f32> {
        let is_plain = self.map.softcap.is_none() && !self.side.entropy && !self.per_row.reads_state();
        is_plain.then_some(self.map.inv_t)
    }
}

impl ClassIndex<'_> {
    fn factor(&self, c: usize) -> f64 {
        match self.factors {
            [all] => (*all).into(),
            each => each[c].into(),
        }
    }

    /// A product in which an exactly zero factor wins, unless PyTorch's corners are asked for.
    fn product(&self, factor: f64, value: f64) -> f64 {
        if factor == 0.0 && !self.per_row.pytorch { 0.0 } else { factor * value }
    }

    /// `sum_c w_c even (-log p_c)`
    #[inline(always)]
    fn smooth(&self, u: &[f32], softmax: &Softmax) -> f64 {
        if self.even == 0.0 {
            return 0.0;
        }
        let (m, inv_t, zero_wins) = (f64::from(softmax.m), f64::from(softmax.inv_t), !self.per_row.pytorch);
        let shifts = match self.factors {
            [all] => self.product((*all).into(), wide_sum([u], |[u]| (u - m) * inv_t)),
            each => wide_sum([u, each], |[u, w]| if w == 0.0 && zero_wins { 0.0 } else { w * ((u - m) * inv_t) }),
        };
        self.sum_spread * softmax.log_sum - self.even * shifts
    }

    /// From exponentials to `dx_j = e_j common - w_j even`, but `at_t` at the target, through the logit map and times
    /// what comes from upstream.
    #[inline(always)]
    fn gradient(&self, n: usize, x: &[f32], t: usize, [common, at_t]: [f64; 2], weight: f64, dlogits: &mut [f32]) {
        let upstream = self.per_row.upstream(n);
        let factor = upstream.factor().unwrap_or(1.0) * f64::from(self.map.inv_t);
        let [wide_common, wide_even] = [common, self.even * weight].map(|g| g * factor);
        let [common, even] = [wide_common, wide_even].map(|g| g as f32);
        match self.factors {
            _ if !(common.is_finite() && even.is_finite()) => {
                let w = |c| self.factor(c).times(wide_even);
                dlogits.iter_mut().enumerate().for_each(|(c, g)| *g = (f64::from(*g).times(wide_common) - w(c)) as f32);
            }
            _ if even == 0.0 => dlogits.iter_mut().for_each(|g| *g *= common),
            [w] => dlogits.iter_mut().for_each(|g| *g = *g * common - w * even),
            each => dlogits.iter_mut().zip(each).for_each(|(g, w)| *g = *g * common - w * even),
        }
        dlogits[t] = (at_t * factor) as f32;
        self.map.through(x, dlogits);
        upstream.finish(dlogits);
    }

    /// Loss 0, and gradient 0 unless the logits have no softmax.
    #[inline(always)]
    fn ignored_as_in_pytorch(&self, n: usize, x: &[f32], scratch: &mut Scratch, mut out: RowOut<'_>) {
        match self.map.softmax(x, None, self.per_row.saved(n), &mut scratch.capped, &mut []) {
            Some((_, softmax)) => out.silence(&[softmax.m_logit, softmax.excess as f32]),
            None => {
                out.dlogits.fill(f32::NAN);
                out.state.fill(f32::NAN);
                (out.dlogits, out.state) = (&mut [], &mut []);
                out.silence(&[]);
            }
        }
    }
}
