use super::row_options::row_option_builders;
use super::{
    Class, DistributionMaths, Divisor, Family, Form, Gradients, Maths, ONE, Reduction, RowOptions, RowWeights, Shares,
    Spec, Support, TargetKind, Terms, check_class_weights, check_unit,
};
use crate::number::Number;
use crate::{Error, Shape};

/// Cross-entropy of softmax(logits) with a distribution per row (soft labels).
///
/// With `lp = log_softmax(x)`, targets `y`, `y' = (1-eps) y + eps/C` and class weights `w`, a row's loss is
/// `-sum_c w_c y'_c lp_c`, its gradient `p_i sum_c w_c y'_c - w_i y'_i`. Rows of `y` need not sum to 1. Terms whose
/// factor is exactly 0 are 0, so a logit of -inf under no mass does no harm. `Mean` divides by the number of rows, or
/// by what [`RowWeights`] says that they count.
///
/// Meaning as in PyTorch's `cross_entropy` with probability targets, except for those zero terms.
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::{Engine, Inputs, Pass, Shape, SoftCrossEntropy};
///
/// let (logits, targets) = ([2.0, 1.0, 0.1], [0.8, 0.2, 0.0]);
/// let inputs = Inputs::new(&logits).targets(&targets);
/// let out = Engine::cpu().evaluate(SoftCrossEntropy::new(), Pass::Forward, Shape::new(1, 3), inputs)?;
/// assert!((out.values[0] - 0.617030).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SoftCrossEntropy {
    /// `w`, one per class; zero and negative weights are allowed.
    pub class_weights: Option<Vec<f32>>,
    /// `eps` in 0..=1: this share of the target is spread evenly over all classes.
    pub label_smoothing: f32,
    /// Maps of the logits, weights of the rows, z-loss and what to return beside the loss.
    pub rows: RowOptions,
    /// From row losses to the output.
    pub reduction: Reduction,
}

row_option_builders!(SoftCrossEntropy);

impl SoftCrossEntropy {
    /// No weights, no smoothing, no extras, reduction `Mean`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets `w`, one per class.
    pub fn class_weights(mut self, weights: impl Into<Vec<f32>>) -> Self {
        self.class_weights = Some(weights.into());
        self
    }

    /// Sets `eps`.
    pub fn label_smoothing(mut self, eps: f32) -> Self {
        self.label_smoothing = eps;
        self
    }

    /// Sets the reduction.
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }
}

impl Spec for SoftCrossEntropy {
    fn name(&self) -> &'static str {
        "soft_cross_entropy"
    }
    fn family(&self) -> Family {
        Family::Distribution {
            student: Form::Logits,
            teacher: Form::Probs,
            support: Support::Dense,
            terms: Terms::MeanUnderTeacher,
            gradients: Gradients::Student,
        }
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
        RowWeights::mean_over_rows(self.rows.row_weights, shape, shape.n_rows)
    }
    fn check(&self, shape: &Shape) -> Result<(), Error> {
        check_unit("label_smoothing", self.label_smoothing)?;
        self.rows.check_unlabelled(self.name(), None)?;
        check_class_weights(self.class_weights.as_deref(), shape)
    }
    fn rows(&self) -> &RowOptions {
        &self.rows
    }
    fn class_factors(&self) -> &[f32] {
        self.class_weights.as_deref().unwrap_or(ONE)
    }
    fn shares(&self, n_classes: usize) -> Shares {
        Shares::over_all(self.label_smoothing, n_classes)
    }
}

impl DistributionMaths for SoftCrossEntropy {
    /// `-w y' lp`.
    #[inline(always)]
    fn loss_term<N: Number>(&self, c: &Class<N>) -> N {
        -c.p.times(c.log_q)
    }

    #[inline(always)]
    fn slope<N: Number>(&self, c: &Class<N>) -> N {
        -c.p
    }

    fn reads_log_p(&self) -> bool {
        false
    }
}
