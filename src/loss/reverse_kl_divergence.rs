use super::divergence::{Divergence, Kind, gap};
use super::{Class, DistributionMaths, Form, Rest, Terms};
use crate::number::Number;

/// Reverse Kullback-Leibler divergence `R = KL(Q||P) = sum_c q_c (log q_c - log p_c)`, P the targets, Q ours.
///
/// The gradient is `q_i (log q_i - log p_i - R) / T` with respect to logits, `q_i (log q_i - log p_i + 1)` with respect
/// to log-probabilities. Classes with `q = 0` contribute 0, whatever `p`; where `q > 0` and `p = 0` the row's loss is
/// infinite and its gradient, which has no value, NaN. [`Divergence`] has the options.
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::{Engine, Form, Inputs, Pass, ReverseKlDivergence, Shape};
///
/// let (student, teacher) = ([0.0; 2], [0.25, 0.75]);
/// let inputs = Inputs::new(&student).targets(&teacher);
/// let loss = ReverseKlDivergence::from_logits(Form::Probs);
/// let out = Engine::cpu().evaluate(loss, Pass::Forward, Shape::new(1, 2), inputs)?;
/// assert!((out.values[0] - 0.143841).abs() < 1e-6); // log(4/3)/2
/// # Ok(()) }
/// ```
pub type ReverseKlDivergence = Divergence<ReverseKl>;

/// The mean under Q of `log q - log p`.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct ReverseKl;

impl Kind for ReverseKl {
    fn name(&self) -> &'static str {
        "reverse_kl_divergence"
    }
    /// Without a rest, P has no class but those named, and R is infinite.
    fn takes_top_k(&self, target: Form, rest: Rest) -> bool {
        rest == Rest::Spread && target == Form::Probs
    }
    fn top_k_expected(&self) -> &'static str {
        "probabilities, their rest spread"
    }
    fn terms(&self) -> Terms {
        Terms::MeanUnderStudent
    }
}

impl DistributionMaths for ReverseKl {
    #[inline(always)]
    fn loss_term<N: Number>(&self, c: &Class<N>) -> N {
        c.q.times(c.log_q - c.log_p)
    }

    /// `q (log q - log p)`; the `q` that is left out is what a softmax takes away again.
    #[inline(always)]
    fn slope<N: Number>(&self, c: &Class<N>) -> N {
        self.loss_term(c)
    }

    #[inline(always)]
    fn gap<N: Number>(&self, c: &Class<N>) -> Option<N> {
        Some(gap(c.q, c.p, c.log_p - c.log_q))
    }
}
