use super::binary_cross_entropy::{is_probability, sigmoid};
use super::softmax_focal::{check_gamma, gamma_args};
use super::{
    BinaryCrossEntropy, Divisor, ElementwiseMaths, Family, Form, Maths, Reduction, Spec, TargetKind, check_unit,
};
use crate::number::Number;
use crate::{Error, Shape};

/// Focal loss through a sigmoid (RetinaNet; Lin et al. 2017), element by element, soft labels allowed.
///
/// With `q = sigmoid(x)(1-y) + sigmoid(-x) y`, `ce` the binary cross-entropy and `a = alpha y + (1-alpha)(1-y)`
/// (1 without alpha), an element's loss is `a q^gamma ce`. For hard labels and `s = x(2y-1)` that is
/// `a exp(-gamma sp(s)) sp(-s)`, free of cancellation. `None` gives one loss per element; `Mean` divides by the number
/// of elements (RetinaNet itself divides by the number of positives: `SumDividedBy`).
///
/// A target that is NaN or outside 0..=1 is refused on the host; on a device its element is NaN, but for one
/// outside whose weight is 0.
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

    /// `a = alpha y + (1-alpha)(1-y)`.
    #[inline(always)]
    fn balance<N: Number>(&self, y: N) -> N {
        let (positive, negative) = self.factors();
        y * positive + (N::from(1.0) - y) * negative
    }

    /// `a` of a positive and of a negative.
    fn factors(&self) -> (f64, f64) {
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
    fn check(&self, _: &Shape) -> Result<(), Error> {
        check_gamma(self.gamma)?;
        self.alpha.map_or(Ok(()), |alpha| check_unit("alpha", alpha))
    }
    fn targets_are_probabilities(&self) -> bool {
        true
    }
    fn loss_args(&self) -> [f32; 4] {
        let [gamma, gamma_head, ..] = gamma_args(self.gamma);
        let (positive, negative) = self.factors();
        [gamma, gamma_head, positive as f32, negative as f32]
    }
}

impl ElementwiseMaths for SigmoidFocal {
    /// `a q^gamma ce`.
    #[inline(always)]
    fn loss<N: Number>(&self, x: N, y: N, _factor: f64) -> N {
        if !is_probability(y) {
            return N::from(f64::NAN);
        }
        (self.balance(y) * miss(x, y).powf(self.gamma.into())).times(CE.loss(x, y, 1.0))
    }

    /// `a [gamma q^(gamma-1) sigmoid(x) sigmoid(-x) (1-2y) ce + q^gamma ((1-y) sigmoid(x) - y sigmoid(-x))]`.
    ///
    /// For hard labels `sigmoid(x) sigmoid(-x) = q (1-q)`: no power below gamma is needed, and every gamma is safe.
    #[inline(always)]
    fn dloss_dx<N: Number>(&self, x: N, y: N, _factor: f64) -> N {
        if !is_probability(y) {
            return N::from(f64::NAN);
        }
        let (gamma, q) = (f64::from(self.gamma), miss(x, y));
        let dq = if y.value() == 0.0 {
            q.powf(gamma) * sigmoid(-x)
        } else if y.value() == 1.0 {
            -(q.powf(gamma) * sigmoid(x))
        } else {
            q.powf(gamma) / q * sigmoid(x) * sigmoid(-x) * (N::from(1.0) - y * 2.0)
        };
        self.balance(y) * ((dq * gamma).times(CE.loss(x, y, 1.0)) + q.powf(gamma) * CE.dloss_dx(x, y, 1.0))
    }
}

/// The loss that focus is put on.
const CE: BinaryCrossEntropy = BinaryCrossEntropy { input: Form::Logits, pos_weight: None, reduction: Reduction::None };

/// `q = sigmoid(x)(1-y) + sigmoid(-x) y`.
#[inline(always)]
fn miss<N: Number>(x: N, y: N) -> N {
    sigmoid(x) * (N::from(1.0) - y) + sigmoid(-x) * y
}
