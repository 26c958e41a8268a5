use super::row_options::row_weights_builder;
use super::{Divisor, Family, Maths, ONE, Reduction, RowWeights, Spec, TargetKind, check_class_weights};
use crate::{Error, Shape};

/// Negative log-likelihood of given log-probabilities, one class index per row.
///
/// Log-probabilities `lp` stand where other losses have logits; no softmax is taken. With target `t` and class weights
/// `w` (1 if none), a row's loss is `-w_t lp_t`, its gradient `-w_t` at `t` and 0 elsewhere. Rows whose label is
/// `ignore_index` have loss and gradient exactly 0. `Mean` divides by the sum of `w_t` over the rows kept.
///
/// Of a row only `lp_t` is read: a NaN in another class changes nothing. `lp_t = -inf` costs infinity (nothing at
/// weight 0) with a finite gradient; NaN or +inf there leave their row without a value. No row state is saved or
/// needed.
///
/// Meaning as in PyTorch's `nll_loss`, except that no label is ignored unless asked (PyTorch: -100), and that a row
/// without a value has no gradient either (PyTorch: `-w_t` even there).
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::{Engine, Inputs, NegativeLogLikelihood, Pass, Shape};
///
/// let log_probs = [0.5_f32.ln(), 0.25_f32.ln(), 0.25_f32.ln()];
/// let inputs = Inputs::new(&log_probs).targets(&[1]);
/// let out = Engine::cpu().evaluate(NegativeLogLikelihood::new(), Pass::ForwardBackward, Shape::new(1, 3), inputs)?;
/// assert!((out.values[0] - 4.0_f32.ln()).abs() < 1e-6);
/// assert_eq!(out.dlogits.unwrap(), [0.0, -1.0, 0.0]);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct NegativeLogLikelihood {
    /// Labels of rows that do not count.
    pub ignore_index: Vec<i32>,
    /// `w`, one per class; zero and negative weights are allowed.
    pub class_weights: Option<Vec<f32>>,
    /// Whether the inputs bring one weight per row, and what it does to the divisor of a mean.
    pub row_weights: Option<RowWeights>,
    /// From row losses to the output.
    pub reduction: Reduction,
}

impl NegativeLogLikelihood {
    /// No ignored label, no weights, reduction `Mean`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Rows with this label do not count; may be called for several.
    pub fn ignore_index(mut self, label: i32) -> Self {
        self.ignore_index.push(label);
        self
    }

    /// Sets `w`, one per class.
    pub fn class_weights(mut self, weights: impl Into<Vec<f32>>) -> Self {
        self.class_weights = Some(weights.into());
        self
    }

    row_weights_builder!(row_weights);

    /// Sets the reduction.
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }
}

impl Spec for NegativeLogLikelihood {
    fn name(&self) -> &'static str {
        "negative_log_likelihood"
    }
    fn family(&self) -> Family {
        Family::GivenLogProb
    }
    fn maths(&self) -> Maths<'_> {
        Maths::GivenLogProb
    }
    fn targets(&self) -> TargetKind {
        TargetKind::ClassIndex
    }
    fn reduction(&self) -> Option<Reduction> {
        Some(self.reduction)
    }
    fn mean_divisor(&self, shape: &Shape) -> Divisor {
        RowWeights::mean_over_labels(self.row_weights, shape, &self.ignore_index, self.class_weights.is_some())
    }
    fn check(&self, shape: &Shape) -> Result<(), Error> {
        check_class_weights(self.class_weights.as_deref(), shape)
    }
    fn ignore_index(&self) -> &[i32] {
        &self.ignore_index
    }
    fn row_weights(&self) -> Option<RowWeights> {
        self.row_weights
    }
    fn class_factors(&self) -> &[f32] {
        self.class_weights.as_deref().unwrap_or(ONE)
    }
}
