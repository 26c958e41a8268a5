use super::rows::{PerRow, RowOut, Rows, Scratch, Standing};
use super::softmax::Softmax;
use crate::Side;
use crate::validate::Problem;

/// `-w_t lp_t` of given log-probabilities.
pub(super) struct GivenLogProb<'a> {
    per_row: PerRow<'a>,
    /// `w`, one per class, or one for all.
    factors: &'a [f32],
}

impl<'a> GivenLogProb<'a> {
    pub fn new(problem: &'a Problem, per_row: PerRow<'a>) -> Self {
        GivenLogProb { per_row, factors: problem.spec().class_factors() }
    }
}

impl Rows for GivenLogProb<'_> {
    #[inline(always)]
    fn row(&self, n: usize, log_p: &[f32], _found: Option<Softmax>, _scratch: &mut Scratch, out: RowOut<'_>) {
        let (weight, t) = match self.per_row.standing(n) {
            Standing::Kept { weight, class } => (weight, class),
            Standing::Silent | Standing::Ignored => return out.silence(&[]),
            Standing::Poisoned => return out.poison(&Side::NONE),
        };
        if log_p[t].is_nan() || log_p[t] == f32::INFINITY {
            return out.poison(&Side::NONE);
        }
        let w = weight * f64::from(if let [all] = self.factors { *all } else { self.factors[t] });
        if let [value] = out.values {
            let product = -w * f64::from(log_p[t]);
            *value = if w == 0.0 && !self.per_row.pytorch { 0.0 } else { product as f32 };
        }
        if !out.dlogits.is_empty() {
            let upstream = self.per_row.upstream(n);
            out.dlogits.fill(upstream.apply(0.0));
            out.dlogits[t] = upstream.apply(-w);
        }
    }
}
