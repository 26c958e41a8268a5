use super::{Divisor, ElementwiseMaths, Family, Maths, ONE, PerClass, Reduction, Spec, TargetKind};
use crate::reference::Real;
use crate::{Error, Shape};

/// Binary cross-entropy of sigmoid(logits), element by element, soft labels allowed.
///
/// With `sp` the softplus, element weight `w` (an input, 1 if none) and `pos_weight` `b`, an element's loss is
/// `w [b y sp(-x) + (1-y) sp(x)]`, its gradient `w [(1-y) sigmoid(x) - b y sigmoid(-x)]`. `None` gives one loss per
/// element; `Mean` divides by the number of elements, never by a sum of weights.
///
/// Meaning as in PyTorch's `binary_cross_entropy_with_logits`; unlike its formula this one does not cancel, so tiny
/// losses keep their digits. A term whose factor is exactly 0 is 0, also at infinite logits.
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::{BinaryCrossEntropy, Engine, Inputs, Pass, Shape};
///
/// let inputs = Inputs::new(&[-20.0]).targets(&[0.0]);
/// let out = Engine::cpu().evaluate(BinaryCrossEntropy::new(), Pass::Forward, Shape::new(1, 1), inputs)?;
/// assert!((out.values[0] / 2.061154e-9 - 1.0).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct BinaryCrossEntropy {
    /// `b`, the factor on the positive term: one for all classes or one per class.
    pub pos_weight: Option<PerClass>,
    /// From element losses to the output.
    pub reduction: Reduction,
}

impl BinaryCrossEntropy {
    /// No `pos_weight`, reduction `Mean`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `b`: a number or one per class.
    pub fn pos_weight(mut self, pos_weight: impl Into<PerClass>) -> Self {
        self.pos_weight = Some(pos_weight.into());
        self
    }

    /// Sets the reduction.
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }
}

impl Spec for BinaryCrossEntropy {
    fn name(&self) -> &'static str {
        "binary_cross_entropy"
    }
    fn family(&self) -> Family {
        Family::Elementwise
    }
    fn maths(&self) -> Maths<'_> {
        Maths::Elementwise(self)
    }
    fn targets(&self) -> TargetKind {
        TargetKind::Values
    }
    fn per_element(&self) -> bool {
        true
    }
    fn reduction(&self) -> Option<Reduction> {
        Some(self.reduction)
    }
    fn mean_divisor(&self, shape: &Shape) -> Divisor {
        Divisor::Number(shape.n_elements() as f64)
    }
    fn check(&self, shape: &Shape) -> Result<(), Error> {
        self.pos_weight.as_ref().map_or(Ok(()), |b| b.check("pos_weight", shape.n_classes))
    }
    fn class_factors(&self) -> &[f32] {
        self.pos_weight.as_ref().map_or(ONE, PerClass::as_slice)
    }
}

impl ElementwiseMaths for BinaryCrossEntropy {
    /// `b y sp(-x) + (1-y) sp(x)`.
    fn loss(&self, x: Real, y: Real, b: f64) -> Real {
        (y * b).times(softplus(-x)) + (Real::ONE - y).times(softplus(x))
    }

    /// `(1-y) sigmoid(x) - b y sigmoid(-x)`.
    fn dloss_dx(&self, x: Real, y: Real, b: f64) -> Real {
        (Real::ONE - y) * sigmoid(x) - y * b * sigmoid(-x)
    }
}

/// `log(1 + exp(x))`, without overflow and without cancellation.
fn softplus(x: Real) -> Real {
    let tail = exp_minus_abs(x).ln_1p();
    if x.value > 0.0 { x + tail } else { tail }
}

/// `1 / (1 + exp(-x))`.
pub(super) fn sigmoid(x: Real) -> Real {
    let e = exp_minus_abs(x);
    if x.value >= 0.0 { Real::ONE / (e + 1.0) } else { e / (e + 1.0) }
}

fn exp_minus_abs(x: Real) -> Real {
    if x.value > 0.0 { (-x).exp() } else { x.exp() }
}
