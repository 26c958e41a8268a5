use super::row_options::row_weights_builder;
use super::{Divisor, ElementwiseMaths, Family, Form, Maths, Reduction, RowWeights, Spec, TargetKind};
use crate::number::Number;
use crate::{Error, Shape};

/// Entropy of a row, in nats: `H = -sum_c p_c log p_c`.
///
/// From logits, `p = softmax(x)` and the gradient is `-p_c (log p_c + H)`. From probabilities, terms with `p = 0` are
/// 0 and the gradient is `-(log p_c + 1)`. `Mean` divides by the number of rows, or, of logits with row weights, by what
/// [`RowWeights`] says that they count.
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::{Engine, Entropy, Inputs, Pass, Shape};
///
/// let inputs = Inputs::new(&[0.0; 8]);
/// let out = Engine::cpu().evaluate(Entropy::of_logits(), Pass::Forward, Shape::new(1, 8), inputs)?;
/// assert!((out.values[0] / std::f32::consts::LN_2 - 3.0).abs() < 1e-6); // eight equal classes: 3 bits
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Entropy {
    /// `Logits` or `Probs`.
    pub input: Form,
    /// Whether the inputs bring one weight per row, and what it does to the divisor of a mean.
    pub row_weights: Option<RowWeights>,
    /// From row entropies to the output.
    pub reduction: Reduction,
}

impl Entropy {
    /// Of softmax(logits); reduction `Mean`.
    pub fn of_logits() -> Self {
        Self::of(Form::Logits)
    }

    /// Of a distribution given as probabilities, passed where other losses take logits; reduction `Mean`.
    pub fn of_probs() -> Self {
        Self::of(Form::Probs)
    }

    fn of(input: Form) -> Self {
        Entropy { input, row_weights: None, reduction: Reduction::Mean }
    }

    row_weights_builder!(row_weights);

    /// Sets the reduction; `None` gives one entropy per row.
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }
}

impl Spec for Entropy {
    fn name(&self) -> &'static str {
        match self.input {
            Form::Logits => "entropy",
            _ => "distribution_entropy",
        }
    }
    fn family(&self) -> Family {
        match self.input {
            Form::Logits => Family::RowEntropy,
            _ => Family::Elementwise,
        }
    }
    fn maths(&self) -> Maths<'_> {
        match self.input {
            Form::Logits => Maths::RowEntropy,
            _ => Maths::Elementwise(self),
        }
    }
    fn input(&self) -> Form {
        self.input
    }
    fn targets(&self) -> TargetKind {
        TargetKind::None
    }
    fn reduction(&self) -> Option<Reduction> {
        Some(self.reduction)
    }
    fn mean_divisor(&self, shape: &Shape) -> Divisor {
        RowWeights::mean_over_rows(self.row_weights, shape, shape.n_rows)
    }
    fn check(&self, _: &Shape) -> Result<(), Error> {
        match self.input {
            Form::LogProbs => Err(Error::Form { loss: self.name(), expected: "logits or probabilities" }),
            Form::Probs if self.row_weights.is_some() => Err(Error::NoRowWeights { loss: self.name() }),
            _ => Ok(()),
        }
    }
    fn row_weights(&self) -> Option<RowWeights> {
        self.row_weights
    }
}

/// Of a given distribution; that of softmax(logits) is its family's own.
impl ElementwiseMaths for Entropy {
    /// `-p log p`; 0 where `p = 0`.
    #[inline(always)]
    fn loss<N: Number>(&self, p: N, _y: N, _factor: f64) -> N {
        -p.times(p.ln())
    }

    /// `-(log p + 1)`.
    #[inline(always)]
    fn dloss_dx<N: Number>(&self, p: N, _y: N, _factor: f64) -> N {
        -(p.ln() + 1.0)
    }
}
