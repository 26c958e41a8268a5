use super::rows::{PerRow, RowOut, Rows, Scratch, Standing};
use super::softmax::{LogitMap, Softmax};
use crate::Side;
use crate::validate::Problem;

/// Entropy of softmax(logits).
pub(super) struct RowEntropy<'a> {
    per_row: PerRow<'a>,
    map: LogitMap,
}

impl<'a> RowEntropy<'a> {
    pub fn new(problem: &'a Problem, per_row: PerRow<'a>) -> Self {
        RowEntropy { per_row, map: LogitMap::of(problem) }
    }
}

impl Rows for RowEntropy<'_> {
    #[inline(always)]
    fn row(&self, n: usize, x: &[f32], _found: Option<Softmax>, scratch: &mut Scratch, out: RowOut<'_>) {
        let weight = match self.per_row.standing(n) {
            Standing::Kept { weight, .. } => weight,
            Standing::Silent | Standing::Ignored => return out.silence(&[]),
            Standing::Poisoned => return out.poison(&Side::NONE),
        };
        let Scratch { capped, exponentials: e, .. } = scratch;
        e.resize(x.len(), 0.0);
        let Some((u, softmax)) = self.map.softmax(x, None, self.per_row.saved(n), capped, e) else {
            return out.poison(&Side::NONE);
        };
        let (inv_sum, inv_t) = (softmax.inv_sum, f64::from(softmax.inv_t));
        let mean_shift = softmax.mean_shift(u, e);
        // As [`Softmax::entropy`].
        let entropy = softmax.log_sum - mean_shift;
        if let [value] = out.values {
            *value = (entropy * weight) as f32;
        }
        if let [m, excess, saved_entropy] = out.state {
            (*m, *excess, *saved_entropy) = (softmax.m_logit, softmax.excess as f32, entropy as f32);
        }
        if !out.dlogits.is_empty() {
            let upstream = self.per_row.upstream(n);
            let factor = -weight * upstream.factor().unwrap_or(1.0) * inv_sum * inv_t;
            let m = f64::from(softmax.m);
            for ((g, &e), &u) in out.dlogits.iter_mut().zip(&*e).zip(u) {
                // log p + H
                let above = (f64::from(u) - m) * inv_t - mean_shift;
                let slope = f64::from(e) * above * factor;
                *g = if e == 0.0 { 0.0 } else { slope as f32 };
            }
            self.map.through(x, out.dlogits);
            upstream.finish(out.dlogits);
        }
    }
}
