use super::class_index::ClassIndex;
use super::distribution::Distribution;
use super::functions::ln_1p;
use super::rows::{PerRow, RowOut, Rows, Scratch, Standing};
use super::side;
use super::softmax::{LogitMap, Softmax};
use crate::validate::Problem;
use crate::{Side, loss};

/// The most numbers that a divergence saves of a row: the softmax of either distribution, and the sum of the slopes.
const SOFT_STATE_WIDTH: usize = 5;

/// Losses against a label and from a teacher, weighted and summed.
pub(super) struct Distillation<'a> {
    per_row: PerRow<'a>,
    hard: ClassIndex<'a>,
    soft: Distribution<'a>,
    weights: [f64; 2],
    z_loss: f64,
    /// Of the loss against the label.
    map: LogitMap,
    side: Side,
}

impl<'a> Distillation<'a> {
    /// Of the two parts of a sum, each by itself and undivided.
    pub fn new(
        problem: &Problem,
        sum: &loss::Distillation,
        per_row: PerRow<'a>,
        hard: ClassIndex<'a>,
        soft: Distribution<'a>,
    ) -> Self {
        // What no class weight touches comes to the divisor of the others.
        let weights = [f64::from(sum.hard_weight), f64::from(sum.soft_weight) * problem.extras_share];
        let hard_spec = sum.hard.spec();
        let map = LogitMap::new(hard_spec.rows().softcap, hard_spec.temperature());
        let (z_loss, side) = (hard_spec.rows().z_loss.into(), hard_spec.rows().side);
        Distillation { per_row, hard, soft, weights, z_loss, map, side }
    }
}

impl Distillation<'_> {
    /// A row whose label is ignored: what the loss against labels makes of it, no divergence, no label.
    #[inline(always)]
    fn ignored(&self, n: usize, x: &[f32], scratch: &mut Scratch, out: RowOut<'_>) {
        let RowOut { values, parts, dlogits, dtargets, state, side } = out;
        let (softmax, others) = state.split_at_mut(state.len().min(2));
        let (soft, label) = others.split_at_mut(others.len().saturating_sub(2));
        soft.fill(f32::NAN);
        label.fill(0.0);
        parts.fill(0.0);
        self.hard.row(n, x, None, scratch, RowOut { values, parts: &mut [], dlogits, dtargets, state: softmax, side });
    }
}

impl Rows for Distillation<'_> {
    #[inline(always)]
    fn row(&self, n: usize, x: &[f32], _found: Option<Softmax>, scratch: &mut Scratch, out: RowOut<'_>) {
        let (row_weight, t) = match self.per_row.standing(n) {
            Standing::Kept { weight, class } => (weight, class),
            Standing::Poisoned => return out.poison(&self.side),
            Standing::Silent => return out.silence(&[]),
            Standing::Ignored => return self.ignored(n, x, scratch, out),
        };
        let mut soft_gradient = std::mem::take(&mut scratch.soft_gradient);
        soft_gradient.resize(out.dlogits.len(), 0.0);
        let ([mut hard, mut softmax], mut soft) = ([[0.0; 2]; 2], [0.0]);
        let mut soft_state = [0.0; SOFT_STATE_WIDTH];
        // Each part brings the row's weight.
        let part =
            |values, dlogits, state, side| RowOut { values, parts: &mut [], dlogits, dtargets: &mut [], state, side };
        self.hard.row(n, x, None, scratch, part(&mut hard, &mut *out.dlogits, &mut softmax, &mut *out.side));
        self.soft.row(n, x, None, scratch, part(&mut soft, &mut soft_gradient, &mut soft_state, &mut []));

        let ([hard, without_z], [soft]) = (hard, soft);
        // A poisoned row has no m. A loss may be NaN by its factors alone, and infinite without a gradient.
        if softmax[0].is_nan() || (soft.is_nan() && soft_state[0].is_nan()) {
            scratch.soft_gradient = soft_gradient;
            return out.poison(&self.side);
        }
        if soft_state[0].is_nan() {
            side::poison(&self.side, out.side);
        }
        // The class counted from 1, as bits.
        let truth = [f32::from_bits(t as u32 + 1), x[t]];
        let soft_width = out.state.len().saturating_sub(softmax.len() + truth.len());
        let state = softmax.into_iter().chain(soft_state.into_iter().take(soft_width)).chain(truth);
        out.state.iter_mut().zip(state).for_each(|(place, number)| *place = number);

        let [hard_weight, soft_weight] = self.weights;
        if let [value] = out.values {
            *value = (weighted(hard_weight, hard.into()) + weighted(soft_weight, soft.into())) as f32;
        }
        if let [hard_part, soft_part, z_part] = out.parts {
            let [m, excess] = softmax;
            let lse = f64::from(self.map.cap(m)) * f64::from(self.map.inv_t) + ln_1p(excess.into());
            let z = if self.z_loss == 0.0 { 0.0 } else { row_weight * self.z_loss * lse * lse };
            (*hard_part, *soft_part, *z_part) = (without_z, soft, z as f32);
        }
        for (g, soft) in out.dlogits.iter_mut().zip(&soft_gradient) {
            *g = (weighted(hard_weight, (*g).into()) + weighted(soft_weight, (*soft).into())) as f32;
        }
        self.per_row.upstream(n).finish_all(out.dlogits);
        scratch.soft_gradient = soft_gradient;
    }
}

/// A product in which a weight of 0 wins against infinity, and not against what has no value.
#[inline(always)]
fn weighted(weight: f64, x: f64) -> f64 {
    let product = weight * x;
    let nothing = if x.is_nan() { f64::NAN } else { 0.0 };
    if weight == 0.0 { nothing } else { product }
}
