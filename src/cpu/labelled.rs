use super::softmax::{Softmax, Truth};
use crate::number::Number;

/// What losses against a class index have in common: plain numbers, so that loops over rows keep them in registers.
#[derive(Clone, Copy)]
pub(super) struct Formula {
    /// The target's share of the loss, and what label smoothing has at every class.
    pub target: f64,
    pub even: f64,
    /// `sum_c w_c even`
    pub sum_spread: f64,
    /// z-loss and poly-1, brought to the divisor of the others.
    pub z: f64,
    pub e1: f64,
    /// Whether corners are as in PyTorch.
    pub pytorch: bool,
}

/// A row with a label.
pub(super) struct Labelled {
    pub weight: f64,
    /// Of the label's class.
    pub factor: f64,
    /// The loss and its slope.
    pub both: [f64; 2],
    /// `sum_c w_c even (-log p_c)`
    pub smooth: f64,
}

/// What a row gives. Its gradient is `dx_j = e_j common - w_j even`, but `at_t` at the target, before it goes through the
/// logit map and is multiplied by what comes from upstream.
pub(super) struct Outcome {
    pub loss: f64,
    /// The loss without z-loss.
    pub without_z: f64,
    pub common: f64,
    pub at_t: f64,
}

impl Formula {
    #[inline(always)]
    pub fn outcome(&self, row: &Labelled, softmax: &Softmax, truth: &Truth) -> Outcome {
        let ([loss, dloss_dlog_p], hard, lse) = (row.both, row.factor * self.target, softmax.lse());
        let poly1 = if self.e1 == 0.0 { 0.0 } else { self.e1 * truth.q };
        let without_z = self.product(hard, loss) + row.smooth + poly1;
        let z_loss = if self.z == 0.0 { 0.0 } else { self.z * lse * lse };
        let slope = hard.times(dloss_dlog_p) - truth.p * self.e1;
        let even = self.sum_spread + 2.0 * self.z * lse;
        let spread = if self.even == 0.0 { 0.0 } else { row.factor * self.even };
        let at_t = slope * truth.q + (truth.p.times(even) - spread);
        Outcome {
            loss: row.weight * (without_z + z_loss),
            without_z: row.weight * without_z,
            common: (even - slope) * softmax.inv_sum * row.weight,
            at_t: at_t * row.weight,
        }
    }

    /// A product in which an exactly zero factor wins, unless PyTorch's corners are asked for.
    #[inline(always)]
    pub fn product(&self, factor: f64, value: f64) -> f64 {
        if factor == 0.0 && !self.pytorch { 0.0 } else { factor * value }
    }
}
