use super::{Divisor, Family, Maths, Reduction, SoftmaxMaths, Spec, TargetKind};
use crate::reference::Real;
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
    fn value(&self, log_p: Real, _p: Real) -> Real {
        log_p
    }

    /// `g - p sum g`.
    fn dlogit(&self, p: Real, g: f32, sum_g: Real, _sum_gp: Real) -> Real {
        -(p * sum_g) + g
    }
}

impl SoftmaxMaths for Softmax {
    fn value(&self, _log_p: Real, p: Real) -> Real {
        p
    }

    /// `p (g - sum g p)`.
    fn dlogit(&self, p: Real, g: f32, _sum_g: Real, sum_gp: Real) -> Real {
        p * (-sum_gp + g)
    }
}
