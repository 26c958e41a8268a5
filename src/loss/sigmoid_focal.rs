use super::binary_cross_entropy::{self, sigmoid};
use super::softmax_focal::{check_gamma, gamma_args};
use super::{Divisor, Family, Reduction, Spec, TargetKind, check_unit};
use crate::reference::Real;
use crate::{Error, Shape};

/// Focal loss through a sigmoid (RetinaNet; Lin et al. 2017), element by element, soft labels allowed.
///
/// With `q = sigmoid(x)(1-y) + sigmoid(-x) y`, `ce` the binary cross-entropy and `a = alpha y + (1-alpha)(1-y)`
/// (1 without alpha), an element's loss is `a q^gamma ce`. For hard labels and `s = x(2y-1)` that is
/// `a exp(-gamma sp(s)) sp(-s)`, free of cancellation. `None` gives one loss per element; `Mean` divides by the number
/// of elements (RetinaNet itself divides by the number of positives: `SumDividedBy`).
///
/// Meaning as in torchvision's `sigmoid_focal_loss`, whose defaults are gamma 2, alpha 0.25.
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::{Engine, Inputs, Pass, Shape, SigmoidFocal};
///
/// let inputs = Inputs::new(&[0.0]).targets(&[1.0]);
/// let loss = SigmoidFocal::new(2.0).alpha(0.25);
/// let out = Engine::cpu().evaluate(loss, Pass::Forward, Shape::new(1, 1), inputs)?;
/// assert!((out.values[0] - 0.25 * 0.25 * std::f32::consts::LN_2).abs() < 1e-7);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SigmoidFocal {
    /// Focus: 0 is cross-entropy, 2 is the paper's choice. Finite, at least 0.
    pub gamma: f32,
    /// Weight of positives in 0..=1; negatives get `1 - alpha`.
    pub alpha: Option<f32>,
    /// From element losses to the output.
    pub reduction: Reduction,
}

impl SigmoidFocal {
    /// No `alpha`, reduction `Mean`.
    pub fn new(gamma: f32) -> Self {
        SigmoidFocal { gamma, alpha: None, reduction: Reduction::Mean }
    }

    /// Sets `alpha`.
    pub fn alpha(mut self, alpha: f32) -> Self {
        self.alpha = Some(alpha);
        self
    }

    /// Sets the reduction.
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }

    /// `a = positive y + negative (1-y)`.
    pub(crate) fn factors(&self) -> (f64, f64) {
        self.alpha.map_or((1.0, 1.0), |alpha| (alpha.into(), 1.0 - f64::from(alpha)))
    }
}

impl Spec for SigmoidFocal {
    fn name(&self) -> &'static str {
        "sigmoid_focal"
    }
    fn family(&self) -> Family {
        Family::Elementwise
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
    fn check(&self, _: &Shape) -> Result<(), Error> {
        check_gamma(self.gamma)?;
        self.alpha.map_or(Ok(()), |alpha| check_unit("alpha", alpha))
    }
    fn loss_args(&self) -> [f32; 4] {
        let [gamma, gamma_head, ..] = gamma_args(self.gamma);
        let (positive, negative) = self.factors();
        [gamma, gamma_head, positive as f32, negative as f32]
    }
}

/// `a q^gamma ce`.
pub(crate) fn loss(x: Real, y: Real, gamma: f64, factors: (f64, f64)) -> Real {
    (balance(y, factors) * miss(x, y).powf(gamma)).times(binary_cross_entropy::loss(x, y, 1.0))
}

/// `a [gamma q^(gamma-1) sigmoid(x) sigmoid(-x) (1-2y) ce + q^gamma ((1-y) sigmoid(x) - y sigmoid(-x))]`.
///
/// For hard labels `sigmoid(x) sigmoid(-x) = q (1-q)`, so no power below gamma is needed there and every gamma is safe.
pub(crate) fn dloss_dx(x: Real, y: Real, gamma: f64, factors: (f64, f64)) -> Real {
    let (q, ce) = (miss(x, y), binary_cross_entropy::loss(x, y, 1.0));
    let dq = if y.value == 0.0 {
        q.powf(gamma) * sigmoid(-x)
    } else if y.value == 1.0 {
        -(q.powf(gamma) * sigmoid(x))
    } else {
        q.powf(gamma - 1.0) * sigmoid(x) * sigmoid(-x) * (Real::ONE - y * 2.0)
    };
    balance(y, factors) * ((dq * gamma).times(ce) + q.powf(gamma) * binary_cross_entropy::dloss_dx(x, y, 1.0))
}

/// `q = sigmoid(x)(1-y) + sigmoid(-x) y`.
fn miss(x: Real, y: Real) -> Real {
    sigmoid(x) * (Real::ONE - y) + sigmoid(-x) * y
}

/// `a = alpha y + (1-alpha)(1-y)`.
fn balance(y: Real, (positive, negative): (f64, f64)) -> Real {
    y * positive + (Real::ONE - y) * negative
}
