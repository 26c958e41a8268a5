use super::labelled::{Formula, Labelled, Outcome};
use super::lanes::{LANES, wide_sum};
use super::rows::{Group, GroupOut, PerRow, RowOut, Rows, Scratch, Standing};
use super::short_rows::ShortRows;
use super::side;
use super::softmax::{LogitMap, Softmax, Truth};
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
    formula: Formula,
}

impl<'a> ClassIndex<'a> {
    pub fn new(problem: &'a Problem, per_row: PerRow<'a>, loss: &'a dyn AnyClassIndex) -> Self {
        let (spec, n_classes) = (problem.spec(), problem.shape.n_classes);
        let (factors, shares) = (spec.class_factors(), spec.shares(n_classes));
        let sum_factors = match factors {
            [all] => f64::from(*all) * n_classes as f64,
            each => each.iter().copied().map(f64::from).sum(),
        };
        let formula = Formula {
            target: shares.target,
            even: shares.even,
            sum_spread: sum_factors * shares.even,
            z: f64::from(spec.rows().z_loss).times(problem.extras_share),
            e1: f64::from(spec.poly1()).times(problem.extras_share),
            pytorch: per_row.pytorch,
        };
        ClassIndex { per_row, loss, map: LogitMap::of(problem), side: spec.rows().side, factors, formula }
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

        let truth = softmax.class(u[t], e.get(t).copied());
        let both = self.loss.both(truth.log_p, truth.q);
        let row = Labelled { weight, factor: self.factor(t), both, smooth: self.smooth(u, &softmax) };
        let outcome = self.formula.outcome(&row, &softmax, &truth);
        if let [value, apart @ ..] = out.values {
            *value = outcome.loss as f32;
            apart.fill(outcome.without_z as f32);
        }
        if let [m, excess] = out.state {
            (*m, *excess) = (softmax.m_logit, softmax.excess as f32);
        }
        if !out.side.is_empty() {
            let entropy = if wants_entropy { softmax.entropy(u, e) } else { 0.0 };
            side::write(&self.side, x, &softmax, entropy, Some((t, &truth)), out.side);
        }
        if !out.dlogits.is_empty() {
            self.gradient(n, x, t, &outcome, weight, out.dlogits);
        }
    }

    fn begins_with_softmax(&self) -> Option<f32> {
        let is_plain = self.map.softcap.is_none() && !self.side.entropy && !self.per_row.reads_state();
        is_plain.then_some(self.map.inv_t)
    }

    /// Rows that count and are not smoothed, whose gradients are exponentials times one number each.
    #[inline(always)]
    fn side_by_side(&self, n: usize, x: &Group<'_>, rows: &mut ShortRows, out: GroupOut<'_>) -> u32 {
        if self.formula.even != 0.0 || self.side.width() != 0 {
            return 0;
        }
        let mut labels = self.labels(n, x, rows);
        let [value, mut common, at_t] = self.outcomes(&labels, rows);
        if out.wants_gradient {
            labels.keep(&mut common);
            for (c, e) in (0..).zip(&mut rows.classes[..x.n_classes]) {
                for i in 0..LANES {
                    let here = if labels.t[i] == c { u32::MAX } else { 0 };
                    e[i] = f32::from_bits((at_t[i].to_bits() & here) | ((e[i] * common[i]).to_bits() & !here));
                }
            }
        }
        out.values.copy_from_slice(&value[..out.values.len()]);
        for (i, state) in out.state.chunks_exact_mut(2).enumerate().take(x.n_rows) {
            state.copy_from_slice(&[rows.m[i], rows.excess[i] as f32]);
        }
        (0..).zip(labels.t).map(|(i, t)| u32::from(t != NO_LABEL) << i).sum()
    }
}

/// Of sixteen rows side by side those that count: their labels, and what these say of them.
struct Labels {
    /// [`NO_LABEL`] for a row that goes by itself.
    t: [u32; LANES],
    /// The label's logit and its exponential.
    x: [f32; LANES],
    e: [f32; LANES],
    weight: [f64; LANES],
    /// Of the label's class.
    factor: [f64; LANES],
    /// What comes from upstream, over the divisor.
    upstream: [f64; LANES],
}

const NO_LABEL: u32 = u32::MAX;

impl Labels {
    /// Leaves out rows whose exponentials would be multiplied by what is no number; theirs and those of rows left out
    /// before stay as they are.
    #[inline(always)]
    fn keep(&mut self, common: &mut [f32; LANES]) {
        for (t, common) in self.t.iter_mut().zip(common) {
            let is_kept = *t != NO_LABEL && common.abs() < f32::INFINITY;
            *t = if is_kept { *t } else { NO_LABEL };
            *common = if is_kept { *common } else { 1.0 };
        }
    }
}

impl ClassIndex<'_> {
    #[inline(always)]
    fn labels(&self, n: usize, x: &Group<'_>, rows: &ShortRows) -> Labels {
        let (floats, doubles) = ([0.0; LANES], [0.0; LANES]);
        let mut labels =
            Labels { t: [NO_LABEL; LANES], x: floats, e: floats, weight: doubles, factor: doubles, upstream: doubles };
        for i in (0..x.n_rows).filter(|&i| !rows.m[i].is_nan()) {
            let Standing::Kept { weight, class } = self.per_row.standing(n + i) else { continue };
            let Some(upstream) = self.per_row.upstream(n + i).factor() else { continue };
            (labels.t[i], labels.x[i], labels.e[i]) = (class as u32, x.row(i)[class], rows.classes[class][i]);
            (labels.weight[i], labels.factor[i], labels.upstream[i]) = (weight, self.factor(class), upstream);
        }
        labels
    }

    /// Of each row the loss, what its exponentials are multiplied by, and its gradient at the label.
    #[inline(always)]
    fn outcomes(&self, labels: &Labels, rows: &ShortRows) -> [[f32; LANES]; 3] {
        let [mut log_p, mut p, mut q, mut loss, mut slope] = [[0.0; LANES]; 5];
        for i in 0..LANES {
            let truth = rows.lane(i).class(labels.x[i], Some(labels.e[i]));
            (log_p[i], p[i], q[i]) = (truth.log_p, truth.p, truth.q);
        }
        self.loss.each(&log_p, &q, &mut loss, &mut slope);
        let (formula, inv_t) = (self.formula, f64::from(self.map.inv_t));
        let [mut value, mut common, mut at_t] = [[0.0; LANES]; 3];
        for i in 0..LANES {
            let truth = Truth { log_p: log_p[i], p: p[i], q: q[i] };
            let (weight, factor, both) = (labels.weight[i], labels.factor[i], [loss[i], slope[i]]);
            let outcome = formula.outcome(&Labelled { weight, factor, both, smooth: 0.0 }, &rows.lane(i), &truth);
            let upstream = labels.upstream[i] * inv_t;
            value[i] = outcome.loss as f32;
            common[i] = (outcome.common * upstream) as f32;
            at_t[i] = (outcome.at_t * upstream) as f32;
        }
        [value, common, at_t]
    }

    fn factor(&self, c: usize) -> f64 {
        match self.factors {
            [all] => (*all).into(),
            each => each[c].into(),
        }
    }

    /// `sum_c w_c even (-log p_c)`
    #[inline(always)]
    fn smooth(&self, u: &[f32], softmax: &Softmax) -> f64 {
        let Formula { even, sum_spread, pytorch, .. } = self.formula;
        if even == 0.0 {
            return 0.0;
        }
        let (m, inv_t, zero_wins) = (f64::from(softmax.m), f64::from(softmax.inv_t), !pytorch);
        let shifts = match self.factors {
            [all] => self.formula.product((*all).into(), wide_sum([u], |[u]| (u - m) * inv_t)),
            each => wide_sum([u, each], |[u, w]| if w == 0.0 && zero_wins { 0.0 } else { w * ((u - m) * inv_t) }),
        };
        sum_spread * softmax.log_sum - even * shifts
    }

    /// From exponentials to the gradient.
    #[inline(always)]
    fn gradient(&self, n: usize, x: &[f32], t: usize, outcome: &Outcome, weight: f64, dlogits: &mut [f32]) {
        let upstream = self.per_row.upstream(n);
        let factor = upstream.factor().unwrap_or(1.0) * f64::from(self.map.inv_t);
        let [wide_common, wide_even] = [outcome.common, self.formula.even * weight].map(|g| g * factor);
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
        dlogits[t] = (outcome.at_t * factor) as f32;
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
