use super::{Divisor, Family, Maths, Reduction, SoftmaxMaths, Spec, TargetKind};
use crate::number::Number;
use crate::{Error, Shape};

pub(super) struct LogSoftmax;

pub(super) struct Softmax;

/// Both have one value per class, no target and no option.
macro_rules! softmax_spec {
    ($output:ident, $name:literal) => {
        impl Spec for $output {
            fn name(&self) -> &'static str {
                $name
            }
            fn family(&self) -> Family {
                Family::Softmax
            }
            fn maths(&self) -> Maths<'_> {
                Maths::Softmax(self)
            }
            fn targets(&self) -> TargetKind {
                TargetKind::None
            }
            fn reduction(&self) -> Option<Reduction> {
                None
            }
            fn mean_divisor(&self, _: &Shape) -> Divisor {
                Divisor::Number(1.0)
            }
            fn check(&self, _: &Shape) -> Result<(), Error> {
                Ok(())
            }
            fn per_element(&self) -> bool {
                true
            }
        }
    };
}
softmax_spec!(LogSoftmax, "log_softmax");
softmax_spec!(Softmax, "softmax");

impl SoftmaxMaths for LogSoftmax {
    #[inline(always)]
    fn value<N: Number>(&self, log_p: N, _p: N) -> N {
        log_p
    }

    /// `g - p sum g`.
    #[inline(always)]
    fn dlogit<N: Number>(&self, p: N, g: N, sum_g: N, _sum_gp: N) -> N {
        -(p * sum_g) + g
    }
}

impl SoftmaxMaths for Softmax {
    #[inline(always)]
    fn value<N: Number>(&self, _log_p: N, p: N) -> N {
        p
    }

    /// `p (g - sum g p)`.
    #[inline(always)]
    fn dlogit<N: Number>(&self, p: N, g: N, _sum_g: N, sum_gp: N) -> N {
        p * (-sum_gp + g)
    }
}
