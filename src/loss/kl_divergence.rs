use super::divergence::{Divergence, Kind, gap};
use super::{Class, DistributionMaths, Form, Rest, Terms};
use crate::number::Number;

/// Kullback-Leibler divergence `KL(P||Q) = sum_c p_c (log p_c - log q_c)`, P the targets, Q ours.
///
/// The gradient is `(q_i sum_k p_k - p_i) / T` with respect to logits, `-p_i` with respect to log-probabilities.
/// Classes with `p = 0` contribute 0, whatever `q`. Of two models, neither of which teaches, the divergence of the first
/// from the second is `Inputs::new(second).targets(first)`. [`Divergence`] has the options.
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
pub type KlDivergence = Divergence<Kl>;

/// The mean under P of `log p - log q`.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Kl {
    /// Whether reduction `None` gives one value per element.
    pub per_element: bool,
    /// Whether `dtargets` is wanted beside `dlogits`.
    pub teacher_gradient: bool,
}

impl KlDivergence {
    /// With reduction `None`, gives `p_c (log p_c - log q_c)` for each element, as PyTorch's `kl_div` does, instead of
    /// their sum for each row; the upstream gradient then has one number per element too.
    pub fn per_element(mut self) -> Self {
        self.kind.per_element = true;
        self
    }

    /// Asks for the gradient with respect to the targets as well, `dtargets`: with `h = log p - log q`, it is
    /// `p_i (h_i - KL) / T` for logits, `p_i (h_i + 1)` for log-probabilities and `h_i + 1` for probabilities. It is
    /// infinite where the formula is, 0 for a class that neither distribution has, and NaN for the logits of a row
    /// whose divergence is infinite.
    ///
    /// ```
    /// # fn main() -> Result<(), surprisal::Error> {
    /// use surprisal::{Engine, Form, Inputs, KlDivergence, Pass, Shape};
    ///
    /// let loss = KlDivergence::from_logits(Form::Probs).teacher_gradient();
    /// let inputs = Inputs::new(&[0.0, 0.0]).targets(&[0.25, 0.75]);
    /// let out = Engine::new()?.evaluate(loss, Pass::ForwardBackward, Shape::new(1, 2), inputs)?;
    /// let dtargets = out.dtargets.expect("asked for");
    /// assert!((dtargets[0] - (0.5_f32.ln() + 1.0)).abs() < 1e-6); // log(p/q) + 1
    /// # Ok(()) }
    /// ```
    pub fn teacher_gradient(mut self) -> Self {
        self.kind.teacher_gradient = true;
        self
    }
}

impl Kind for Kl {
    fn name(&self) -> &'static str {
        "kl_divergence"
    }
    fn takes_top_k(&self, _: Form, _: Rest) -> bool {
        true
    }
    fn terms(&self) -> Terms {
        Terms::MeanUnderTeacher
    }
    fn per_element(&self) -> bool {
        self.per_element
    }
    fn teacher_gradient(&self) -> bool {
        self.teacher_gradient
    }
}

impl DistributionMaths for Kl {
    #[inline(always)]
    fn loss_term<N: Number>(&self, c: &Class<N>) -> N {
        c.p.times(c.log_p - c.log_q)
    }

    #[inline(always)]
    fn slope<N: Number>(&self, c: &Class<N>) -> N {
        -c.p
    }

    #[inline(always)]
    fn teacher_log_ratio<N: Number>(&self, c: &Class<N>) -> Option<N> {
        Some(c.log_p - c.log_q)
    }

    #[inline(always)]
    fn gap<N: Number>(&self, c: &Class<N>) -> Option<N> {
        Some(gap(c.p, c.q, c.log_q - c.log_p))
    }
}
