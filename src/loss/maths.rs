use crate::reference::Real;

/// A loss's own functions in f64: the twins of those in its shader fragment. All else is its family's.
pub(crate) enum Maths<'a> {
    Softmax(&'a dyn SoftmaxMaths),
    ClassIndex(&'a dyn ClassIndexMaths),
    GivenLogProb,
    Distribution(&'a dyn DistributionMaths),
    RowEntropy,
    Elementwise(&'a dyn ElementwiseMaths),
    /// Each part has its own.
    Distillation,
}

/// One value and one gradient per class.
pub(crate) trait SoftmaxMaths: Sync {
    fn value(&self, log_p: Real, p: Real) -> Real;
    /// From the upstream gradient of the class, and over the row the sum of it and that weighted by p.
    fn dlogit(&self, p: Real, g: f32, sum_g: Real, sum_gp: Real) -> Real;
}

/// Of the target's `log p_t` and `q = 1 - p_t`.
pub(crate) trait ClassIndexMaths: Sync {
    fn loss(&self, log_p: Real, q: Real) -> Real;
    fn dloss_dlog_p(&self, log_p: Real, q: Real) -> Real;
}

/// Of one class of both distributions.
pub(crate) trait DistributionMaths: Sync {
    /// The class's share of the loss.
    fn loss_term(&self, c: &Class) -> Real;
    /// `dloss/dlog q`, up to a multiple of q, which a softmax takes away again.
    fn slope(&self, c: &Class) -> Real;
    /// Whether a negative p has no meaning.
    fn reads_log_p(&self) -> bool {
        true
    }
    /// `log p - log q` for the divergence that has a gradient with respect to P.
    fn teacher_log_ratio(&self, _c: &Class) -> Option<Real> {
        None
    }
    /// For a divergence that is a mean of log-ratios: the class's share plus the other distribution's mass there, less
    /// its own, without the cancellation.
    fn gap(&self, _c: &Class) -> Option<f64> {
        None
    }
}

/// One class of P and Q.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class {
    pub p: Real,
    pub q: Real,
    pub log_p: Real,
    pub log_q: Real,
}

/// Of one element x, its target y and the factor of its class.
pub(crate) trait ElementwiseMaths: Sync {
    fn loss(&self, x: Real, y: Real, factor: f64) -> Real;
    fn dloss_dx(&self, x: Real, y: Real, factor: f64) -> Real;
}
