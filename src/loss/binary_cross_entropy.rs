use super::{Divisor, ElementwiseMaths, Family, Form, Maths, ONE, PerClass, Reduction, Spec, TargetKind};
use crate::number::Number;
use crate::{Error, Shape};

/// Binary cross-entropy of sigmoid(logits) or of probabilities, element by element, soft labels allowed.
///
/// From logits, with `sp` the softplus, element weight `w` (an input, 1 if none) and `pos_weight` `b`, an element's
/// loss is `w [b y sp(-x) + (1-y) sp(x)]`, its gradient `w [(1-y) sigmoid(x) - b y sigmoid(-x)]`. `None` gives one loss
/// per element; `Mean` divides by the number of elements, never by a sum of weights.
///
/// Meaning as in PyTorch's `binary_cross_entropy_with_logits`; unlike its formula this one does not cancel, so tiny
/// losses keep their digits. A term whose factor is exactly 0 is 0, also at infinite logits.
///
/// From probabilities `p`, meaning as in PyTorch's `binary_cross_entropy` and clamped like it: the loss is
/// `-w [y max(log p, -100) + (1-y) max(log(1-p), -100)]`, the gradient `w (p - y) / max(p (1-p), 1e-12)`. There is no
/// `pos_weight`. A `p` that is NaN or outside 0..=1 is refused on the host; on a device its element is NaN, but for one
/// outside whose weight is 0. Where there is a choice, start from logits: near 1 a probability has few digits left.
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::{BinaryCrossEntropy, Engine, Inputs, Pass, Shape};
///
/// let inputs = Inputs::new(&[-20.0]).targets(&[0.0]);
/// let out = Engine::cpu().evaluate(BinaryCrossEntropy::new(), Pass::Forward, Shape::new(1, 1), inputs)?;
/// assert!((out.values[0] / 2.061154e-9 - 1.0).abs() < 1e-6);
///
/// let inputs = Inputs::new(&[0.25]).targets(&[1.0]);
/// let out = Engine::cpu().evaluate(BinaryCrossEntropy::of_probs(), Pass::Forward, Shape::new(1, 1), inputs)?;
/// assert!((out.values[0] - 4.0_f32.ln()).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct BinaryCrossEntropy {
    /// `Logits` or `Probs`.
    pub input: Form,
    /// `b`, the factor on the positive term: one for all classes or one per class.
    pub pos_weight: Option<PerClass>,
    /// From element losses to the output.
    pub reduction: Reduction,
}

impl BinaryCrossEntropy {
    /// Of sigmoid(logits); no `pos_weight`, reduction `Mean`.
    pub fn new() -> Self {
        BinaryCrossEntropy { input: Form::Logits, pos_weight: None, reduction: Reduction::Mean }
    }

    /// Of probabilities, passed where other losses take logits; reduction `Mean`.
    pub fn of_probs() -> Self {
        BinaryCrossEntropy { input: Form::Probs, ..Self::new() }
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

impl Default for BinaryCrossEntropy {
    fn default() -> Self {
        Self::new()
    }
}

impl Spec for BinaryCrossEntropy {
    fn name(&self) -> &'static str {
        match self.input {
            Form::Probs => "binary_cross_entropy_of_probs",
            _ => "binary_cross_entropy",
        }
    }
    fn family(&self) -> Family {
        Family::Elementwise
    }
    fn maths(&self) -> Maths<'_> {
        match self.input {
            Form::Probs => Maths::Elementwise(&OfProbs),
            _ => Maths::Elementwise(self),
        }
    }
    fn input(&self) -> Form {
        self.input
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
        match (self.input, &self.pos_weight) {
            (Form::LogProbs, _) => Err(Error::Form { loss: self.name(), expected: "logits or probabilities" }),
            (Form::Probs, Some(_)) => Err(Error::PosWeight { loss: self.name() }),
            (_, Some(b)) => b.check("pos_weight", shape.n_classes),
            (_, None) => Ok(()),
        }
    }
    fn reads_probabilities(&self) -> bool {
        self.input == Form::Probs
    }
    fn class_factors(&self) -> &[f32] {
        self.pos_weight.as_ref().map_or(ONE, PerClass::as_slice)
    }
}

/// Of logits.
impl ElementwiseMaths for BinaryCrossEntropy {
    /// `b y sp(-x) + (1-y) sp(x)`.
    #[inline(always)]
    fn loss<N: Number>(&self, x: N, y: N, b: f64) -> N {
        (y * b).times(softplus(-x)) + (N::from(1.0) - y).times(softplus(x))
    }

    /// `(1-y) sigmoid(x) - b y sigmoid(-x)`.
    #[inline(always)]
    fn dloss_dx<N: Number>(&self, x: N, y: N, b: f64) -> N {
        (N::from(1.0) - y) * sigmoid(x) - y * b * sigmoid(-x)
    }
}

/// Of probabilities, with the clamps of PyTorch (`Loss.cpp`, `LossOps.cpp`).
struct OfProbs;

impl ElementwiseMaths for OfProbs {
    /// `-y max(log p, -100) - (1-y) max(log(1-p), -100)`.
    #[inline(always)]
    fn loss<N: Number>(&self, p: N, y: N, _factor: f64) -> N {
        if !is_probability(p) {
            return N::from(f64::NAN);
        }
        let [log_p, log_1m] = [p.ln(), (-p).ln_1p()].map(|log| log.at_least(-100.0));
        -y * log_p - (N::from(1.0) - y) * log_1m
    }

    /// `(p - y) / max(p (1-p), 1e-12)`.
    #[inline(always)]
    fn dloss_dx<N: Number>(&self, p: N, y: N, _factor: f64) -> N {
        if !is_probability(p) {
            return N::from(f64::NAN);
        }
        (p - y) / (p * (N::from(1.0) - p)).at_least(f64::from(1e-12_f32))
    }
}

#[inline(always)]
pub(super) fn is_probability<N: Number>(v: N) -> bool {
    (0.0..=1.0).contains(&v.value())
}

/// `log(1 + exp(x))`, without overflow and without cancellation.
#[inline(always)]
fn softplus<N: Number>(x: N) -> N {
    let tail = exp_minus_abs(x).ln_1p();
    if x.value() > 0.0 { x + tail } else { tail }
}

/// `1 / (1 + exp(-x))`.
#[inline(always)]
pub(super) fn sigmoid<N: Number>(x: N) -> N {
    let e = exp_minus_abs(x);
    if x.value() >= 0.0 { N::from(1.0) / (e + 1.0) } else { e / (e + 1.0) }
}

/// The same of x and -x: compilers take one for the other.
#[inline(always)]
fn exp_minus_abs<N: Number>(x: N) -> N {
    (-x.abs()).exp()
}
