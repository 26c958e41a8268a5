use crate::cpu::{Columns, Elements, Pair, SoftmaxRow, Sums};
use crate::number::Number;
use crate::reference::Real;

/// A loss's own functions: the twins of those in its shader fragment. All else is its family's.
///
/// They are inlined wherever they are called, since a loop becomes vectors only as a whole.
pub(crate) enum Maths<'a> {
    Softmax(&'a dyn AnySoftmax),
    ClassIndex(&'a dyn AnyClassIndex),
    GivenLogProb,
    Distribution(&'a dyn AnyDistribution),
    RowEntropy,
    Elementwise(&'a dyn AnyElementwise),
    /// Each part has its own.
    Distillation,
}

/// One value and one gradient per class.
pub(crate) trait SoftmaxMaths: Sync {
    fn value<N: Number>(&self, log_p: N, p: N) -> N;
    /// From the upstream gradient of the class, and over the row the sum of it and that weighted by p.
    fn dlogit<N: Number>(&self, p: N, g: N, sum_g: N, sum_gp: N) -> N;
}

/// Of the target's `log p_t` and `q = 1 - p_t`.
pub(crate) trait ClassIndexMaths: Sync {
    fn loss<N: Number>(&self, log_p: N, q: N) -> N;
    fn dloss_dlog_p<N: Number>(&self, log_p: N, q: N) -> N;
}

/// Of one class of both distributions.
pub(crate) trait DistributionMaths: Sync {
    /// The class's share of the loss.
    fn loss_term<N: Number>(&self, c: &Class<N>) -> N;
    /// `dloss/dlog q`, up to a multiple of q, which a softmax takes away again.
    fn slope<N: Number>(&self, c: &Class<N>) -> N;
    /// Whether a negative p has no meaning.
    fn reads_log_p(&self) -> bool {
        true
    }
    /// `log p - log q` for the divergence that has a gradient with respect to P.
    fn teacher_log_ratio<N: Number>(&self, _c: &Class<N>) -> Option<N> {
        None
    }
    /// For a divergence that is a mean of log-ratios: the class's share plus the other distribution's mass there, less
    /// its own, without the cancellation.
    fn gap<N: Number>(&self, _c: &Class<N>) -> Option<N> {
        None
    }
}

/// One class of P and Q.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class<N> {
    pub p: N,
    pub q: N,
    pub log_p: N,
    pub log_q: N,
}

/// Of one element x, its target y and the factor of its class.
pub(crate) trait ElementwiseMaths: Sync {
    fn loss<N: Number>(&self, x: N, y: N, factor: f64) -> N;
    fn dloss_dx<N: Number>(&self, x: N, y: N, factor: f64) -> N;
}

/// Any loss of a family: its functions with error bounds for the oracle, and in loops for the CPU engine.
pub(crate) trait AnySoftmax: Sync {
    fn value(&self, log_p: Real, p: Real) -> Real;
    fn dlogit(&self, p: Real, g: Real, sum_g: Real, sum_gp: Real) -> Real;
    /// Every class of a row.
    fn run(&self, row: SoftmaxRow<'_>);
}

impl<M: SoftmaxMaths> AnySoftmax for M {
    fn value(&self, log_p: Real, p: Real) -> Real {
        SoftmaxMaths::value(self, log_p, p)
    }
    fn dlogit(&self, p: Real, g: Real, sum_g: Real, sum_gp: Real) -> Real {
        SoftmaxMaths::dlogit(self, p, g, sum_g, sum_gp)
    }
    fn run(&self, row: SoftmaxRow<'_>) {
        row.run(self);
    }
}

/// As [`AnySoftmax`].
pub(crate) trait AnyClassIndex: Sync {
    fn loss(&self, log_p: Real, q: Real) -> Real;
    fn dloss_dlog_p(&self, log_p: Real, q: Real) -> Real;
    /// Loss and slope.
    fn both(&self, log_p: f64, q: f64) -> [f64; 2];
    /// The same of several rows.
    fn each(&self, log_p: &[f64], q: &[f64], loss: &mut [f64], slope: &mut [f64]);
}

impl<M: ClassIndexMaths> AnyClassIndex for M {
    fn loss(&self, log_p: Real, q: Real) -> Real {
        ClassIndexMaths::loss(self, log_p, q)
    }
    fn dloss_dlog_p(&self, log_p: Real, q: Real) -> Real {
        ClassIndexMaths::dloss_dlog_p(self, log_p, q)
    }
    fn both(&self, log_p: f64, q: f64) -> [f64; 2] {
        [ClassIndexMaths::loss(self, log_p, q), ClassIndexMaths::dloss_dlog_p(self, log_p, q)]
    }
    fn each(&self, log_p: &[f64], q: &[f64], loss: &mut [f64], slope: &mut [f64]) {
        let results = loss.iter_mut().zip(slope);
        for ((log_p, q), (loss, slope)) in log_p.iter().zip(q).zip(results) {
            [*loss, *slope] = self.both(*log_p, *q);
        }
    }
}

/// As [`AnySoftmax`].
pub(crate) trait AnyDistribution: Sync {
    fn loss_term(&self, c: &Class<Real>) -> Real;
    fn slope(&self, c: &Class<Real>) -> Real;
    fn reads_log_p(&self) -> bool;
    fn teacher_log_ratio(&self, c: &Class<Real>) -> Option<Real>;
    fn gap(&self, c: &Class<Real>) -> Option<Real>;
    /// Every class of a row.
    fn run(&self, pair: &Pair<'_>, columns: Columns<'_>) -> Sums;
}

impl<M: DistributionMaths> AnyDistribution for M {
    fn loss_term(&self, c: &Class<Real>) -> Real {
        DistributionMaths::loss_term(self, c)
    }
    fn slope(&self, c: &Class<Real>) -> Real {
        DistributionMaths::slope(self, c)
    }
    fn reads_log_p(&self) -> bool {
        DistributionMaths::reads_log_p(self)
    }
    fn teacher_log_ratio(&self, c: &Class<Real>) -> Option<Real> {
        DistributionMaths::teacher_log_ratio(self, c)
    }
    fn gap(&self, c: &Class<Real>) -> Option<Real> {
        DistributionMaths::gap(self, c)
    }
    fn run(&self, pair: &Pair<'_>, columns: Columns<'_>) -> Sums {
        pair.run(self, columns)
    }
}

/// As [`AnySoftmax`].
pub(crate) trait AnyElementwise: Sync {
    fn loss(&self, x: Real, y: Real, factor: f64) -> Real;
    fn dloss_dx(&self, x: Real, y: Real, factor: f64) -> Real;
    /// Every element of a row.
    fn run(&self, elements: Elements<'_>);
}

impl<M: ElementwiseMaths> AnyElementwise for M {
    fn loss(&self, x: Real, y: Real, factor: f64) -> Real {
        ElementwiseMaths::loss(self, x, y, factor)
    }
    fn dloss_dx(&self, x: Real, y: Real, factor: f64) -> Real {
        ElementwiseMaths::dloss_dx(self, x, y, factor)
    }
    fn run(&self, elements: Elements<'_>) {
        elements.run(self);
    }
}
