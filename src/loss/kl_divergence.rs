use super::{DistributionMaths, Divisor, Family, Form, Maths, Reduction, Spec, TargetKind, check_option};
use crate::reference::Real;
use crate::{Error, Shape};

/// Kullback-Leibler divergence `KL(P||Q) = sum_c p_c (log p_c - log q_c)`, P the targets, Q ours.
///
/// Q comes from logits or as log-probabilities; P as probabilities, log-probabilities or logits. The gradient is
/// `(q_i sum_k p_k - p_i) / T` with respect to logits, `-p_i` with respect to log-probabilities. The temperature T
/// divides logits, never a distribution given as (log-)probabilities. Classes with `p = 0` contribute 0, whatever `q`.
/// `BatchMean` (the default, the divergence as defined) divides by the number of rows, `Mean` by the number of
/// elements, as in PyTorch's `kl_div`. `None` gives one loss per row.
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::{Engine, Form, Inputs, KlDivergence, Pass, Shape};
///
/// let (student, teacher) = ([2.0, 1.0, 0.1], [0.5, 0.5, 0.0]);
/// let inputs = Inputs::new(&student).targets(&teacher);
/// let loss = KlDivergence::from_logits(Form::Probs);
/// let out = Engine::cpu().evaluate(loss, Pass::Forward, Shape::new(1, 3), inputs)?;
/// assert!((out.values[0] - 0.223883).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct KlDivergence {
    /// Q: `Logits` or `LogProbs`.
    pub input: Form,
    /// P.
    pub target: Form,
    /// T > 0; divides whichever of the two are logits.
    pub temperature: f32,
    /// Whether loss and gradient are multiplied by T^2, as distillation does (Hinton et al. 2015).
    pub scaled_by_t_squared: bool,
    /// From row losses to the output.
    pub reduction: Reduction,
}

impl KlDivergence {
    /// Q = softmax(logits / T), P in the given form; T = 1, reduction `BatchMean`.
    pub fn from_logits(target: Form) -> Self {
        Self::new(Form::Logits, target)
    }

    /// Q given as log-probabilities, P in the given form; reduction `BatchMean`.
    pub fn from_log_probs(target: Form) -> Self {
        Self::new(Form::LogProbs, target)
    }

    fn new(input: Form, target: Form) -> Self {
        let reduction = Reduction::BatchMean;
        KlDivergence { input, target, temperature: 1.0, scaled_by_t_squared: false, reduction }
    }

    /// Sets T.
    pub fn temperature(mut self, t: f32) -> Self {
        self.temperature = t;
        self
    }

    /// Multiplies loss and gradient by T^2, which keeps the gradient's size as T grows.
    pub fn scaled_by_t_squared(mut self) -> Self {
        self.scaled_by_t_squared = true;
        self
    }

    /// Sets the reduction.
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }
}

impl Spec for KlDivergence {
    fn name(&self) -> &'static str {
        "kl_divergence"
    }
    fn family(&self) -> Family {
        Family::Distribution { student: self.input, teacher: self.target }
    }
    fn maths(&self) -> Maths<'_> {
        Maths::Distribution(self)
    }
    fn targets(&self) -> TargetKind {
        TargetKind::Values
    }
    fn reduction(&self) -> Option<Reduction> {
        Some(self.reduction)
    }
    fn mean_divisor(&self, shape: &Shape) -> Divisor {
        Divisor::Number(shape.n_elements() as f64)
    }
    fn check(&self, _: &Shape) -> Result<(), Error> {
        let t = self.temperature;
        check_option("temperature", t, "finite and greater than 0", t > 0.0 && t.is_finite())?;
        if self.scaled_by_t_squared {
            check_option("temperature", t, "at most 1e19, so that T^2 is finite", t <= 1e19)?;
        }
        match self.input {
            Form::Probs => Err(Error::Form { loss: self.name(), expected: "logits or log-probabilities" }),
            _ => Ok(()),
        }
    }
    fn temperature(&self) -> f32 {
        self.temperature
    }
    fn scale(&self) -> f64 {
        if self.scaled_by_t_squared { f64::from(self.temperature).powi(2) } else { 1.0 }
    }
}

impl DistributionMaths for KlDivergence {
    /// `sum p log p - sum p log q`.
    fn loss(&self, plogp: Real, plogq: Real) -> Real {
        plogp - plogq
    }

    /// `q - p + p log(p/q)`, never negative.
    fn loss_term(&self, log_p: f64, log_q: f64) -> Option<f64> {
        let (p, q, u) = (log_p.exp(), log_q.exp(), log_q - log_p);
        if p == 0.0 {
            return Some(q);
        }
        if u.abs() > 0.25 {
            return Some((q - p) - p * u);
        }
        // exp(u) - 1 - u; the first term left out is 2 x 0.25^14 / 16! of the leading one.
        let series = (3..=15).rev().fold(1.0, |sum, k| 1.0 + u / f64::from(k) * sum);
        Some(p * u * u / 2.0 * series)
    }
}
