use super::divergence::{Divergence, Kind};
use super::{Class, DistributionMaths, Terms};
use crate::number::Number;

/// Total variation distance `1/2 sum_c |p_c - q_c|`, P the targets, Q ours.
///
/// With `g = 1/2 sign(q - p) q`, sign 0 = 0, the gradient is `(g_i - q_i sum_k g_k) / T` with respect to logits, `g_i`
/// with respect to log-probabilities. [`Divergence`] has the options.
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::{Engine, Form, Inputs, Pass, Shape, TotalVariation};
///
/// let (student, teacher) = ([0.0; 2], [0.25, 0.75]);
/// let inputs = Inputs::new(&student).targets(&teacher);
/// let loss = TotalVariation::from_logits(Form::Probs);
/// let out = Engine::cpu().evaluate(loss, Pass::Forward, Shape::new(1, 2), inputs)?;
/// assert_eq!(out.values[0], 0.25);
/// # Ok(()) }
/// ```
pub type TotalVariation = Divergence<Tv>;

/// Half the absolute differences.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Tv;

impl Kind for Tv {
    fn name(&self) -> &'static str {
        "total_variation"
    }
    fn terms(&self) -> Terms {
        Terms::Normalised
    }
}

impl DistributionMaths for Tv {
    #[inline(always)]
    fn loss_term<N: Number>(&self, c: &Class<N>) -> N {
        difference(c).abs() * 0.5
    }

    /// `1/2 sign(q - p) q`.
    #[inline(always)]
    fn slope<N: Number>(&self, c: &Class<N>) -> N {
        difference(c).signum() * 0.5 * c.q
    }
}

/// `q - p`; where they are close `p (e^u - 1)`, `u = log(q/p)`.
#[inline(always)]
fn difference<N: Number>(c: &Class<N>) -> N {
    let u = c.log_q - c.log_p;
    if u.value().abs() < 0.25 && c.p.value() > 0.0 { c.p * u.exp_m1() } else { c.q - c.p }
}
