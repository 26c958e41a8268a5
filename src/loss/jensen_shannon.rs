use super::divergence::{Divergence, Kind, gap};
use super::{Class, DistributionMaths, Terms, check_unit};
use crate::Error;
use crate::number::Number;

/// Jensen-Shannon divergence `beta KL(P||M) + (1-beta) KL(Q||M)`, `M = beta P + (1-beta) Q` (Lin 1991), P the targets,
/// Q ours.
///
/// With `g = (1-beta) q log(q/M)`, the gradient is `(g_i - q_i sum_k g_k) / T` with respect to logits, `g_i` with
/// respect to log-probabilities. It is 0 at beta 0 and 1, symmetric and at most log 2 at beta 1/2 (the default), and
/// finite whatever is masked. [`Divergence`] has the other options.
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::{Engine, Form, Inputs, JensenShannon, Pass, Shape};
///
/// let (student, teacher) = ([0.0, f32::NEG_INFINITY], [0.0, 1.0]);
/// let inputs = Inputs::new(&student).targets(&teacher);
/// let loss = JensenShannon::from_logits(Form::Probs);
/// let out = Engine::cpu().evaluate(loss, Pass::Forward, Shape::new(1, 2), inputs)?;
/// assert!((out.values[0] - std::f32::consts::LN_2).abs() < 1e-6);
/// # Ok(()) }
/// ```
pub type JensenShannon = Divergence<Jsd>;

/// Both distributions' divergence from their mixture.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Jsd {
    /// The share of P in M, in 0..=1.
    pub beta: f32,
}

impl Default for Jsd {
    fn default() -> Self {
        Jsd { beta: 0.5 }
    }
}

impl JensenShannon {
    /// Sets beta, the share of P in M.
    pub fn beta(mut self, beta: f32) -> Self {
        self.kind.beta = beta;
        self
    }
}

impl Jsd {
    /// beta and 1 - beta.
    fn shares(&self) -> (f64, f64) {
        (self.beta.into(), 1.0 - f64::from(self.beta))
    }
}

impl Kind for Jsd {
    fn name(&self) -> &'static str {
        "jensen_shannon"
    }
    fn terms(&self) -> Terms {
        Terms::Normalised
    }
    fn check(&self) -> Result<(), Error> {
        check_unit("beta", self.beta)
    }
    fn loss_args(&self) -> [f32; 4] {
        let (beta, rest) = self.shares();
        [beta as f32, rest as f32, 0.0, 0.0]
    }
}

impl DistributionMaths for Jsd {
    #[inline(always)]
    fn loss_term<N: Number>(&self, c: &Class<N>) -> N {
        let (beta, rest) = self.shares();
        let m = c.p * beta + c.q * rest;
        let to_p = log_mixture(beta, rest, c.log_q - c.log_p);
        let to_q = log_mixture(rest, beta, c.log_p - c.log_q);
        N::from(beta).times(gap(c.p, m, to_p)) + N::from(rest).times(gap(c.q, m, to_q))
    }

    /// `(1-beta) q log(q/M)`.
    #[inline(always)]
    fn slope<N: Number>(&self, c: &Class<N>) -> N {
        let (beta, rest) = self.shares();
        -(c.q * rest).times(log_mixture(rest, beta, c.log_p - c.log_q))
    }
}

/// `log((own a + other b)/a)` from `u = log(b/a)`, own + other = 1: straight from `e^u - 1` while that is small or
/// added to, and without it where it alone counts and may exceed every number.
#[inline(always)]
fn log_mixture<N: Number>(own: f64, other: f64, u: N) -> N {
    if u.value() > 40.0 && other > 0.0 {
        return u + N::from(other).ln();
    }
    let x = u.exp_m1() * other;
    if x.value() < -0.25 { (u.exp() * other + own).ln() } else { x.ln_1p() }
}
