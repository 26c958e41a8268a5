use super::row_options::row_option_builders;
use super::{
    ClassIndexMaths, Divisor, Family, Maths, ONE, Reduction, RowOptions, RowWeights, Shares, Spec, TargetKind,
    check_class_weights, check_option, check_unit,
};
use crate::number::Number;
use crate::{Error, Shape};

/// Cross-entropy of softmax(logits) with one class index per row.
///
/// With `lp = log_softmax(x)`, target `t`, class weights `w` (1 if none) and label smoothing `eps`, a row's loss is
/// `(1-eps) w_t (-lp_t) + (eps/C) (-sum_c w_c lp_c)`, its gradient
/// `(1-eps) w_t (p_i - [i=t]) + (eps/C) (p_i sum_c w_c - w_i)`. Rows whose label is `ignore_index` have loss and
/// gradient exactly 0, whatever their logits. `Mean` divides by the sum of `w_t` over the rows kept.
///
/// Options of a row, each also with focal loss: weights, soft cap, temperature, z-loss `z lse^2` (de Brebisson &
/// Vincent 2016; PaLM), poly-1 `e1 (1 - p_t)` (Leng et al. 2022). `Mean` divides z-loss and poly-1 by the number of
/// rows kept, whatever the class weights.
///
/// Meaning as in PyTorch's `cross_entropy`, except that no label is ignored unless asked (PyTorch: -100).
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::{CrossEntropy, Engine, Inputs, Pass, Shape};
///
/// let logits = [2.0, 1.0, 0.1, 0.5, 2.5, 0.3];
/// let inputs = Inputs::new(&logits).targets(&[0, -100]);
/// let loss = CrossEntropy::new().ignore_index(-100);
/// let out = Engine::cpu().evaluate(loss, Pass::ForwardBackward, Shape::new(2, 3), inputs)?;
/// assert!((out.values[0] - 0.417030).abs() < 1e-6);
/// assert_eq!(out.dlogits.unwrap()[3..], [0.0, 0.0, 0.0]);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct CrossEntropy {
    /// Labels of rows that do not count.
    pub ignore_index: Vec<i32>,
    /// `w`, one per class; zero and negative weights are allowed.
    pub class_weights: Option<Vec<f32>>,
    /// `eps` in 0..=1: this share of the target is spread evenly over classes.
    pub label_smoothing: f32,
    /// Over which classes.
    pub smoothing: Smoothing,
    /// `e1`: adds `e1 (1 - p_t)` to a row's loss.
    pub poly1: f32,
    /// Options shared by the softmax losses.
    pub rows: RowOptions,
    /// From row losses to the output.
    pub reduction: Reduction,
}

/// The classes that label smoothing spreads a share of the target over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Smoothing {
    /// All, `eps/C` each: PyTorch.
    #[default]
    AllClasses,
    /// All but the target, `eps/(C-1)` each: Megatron.
    OtherClasses,
}

row_option_builders!(CrossEntropy);

impl CrossEntropy {
    /// No ignored label, no weights, no smoothing, no extras, reduction `Mean`.
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

    /// Sets `eps`.
    pub fn label_smoothing(mut self, eps: f32) -> Self {
        self.label_smoothing = eps;
        self
    }

    /// Sets over which classes.
    pub fn smoothing(mut self, smoothing: Smoothing) -> Self {
        self.smoothing = smoothing;
        self
    }

    /// Sets `e1`.
    pub fn poly1(mut self, e1: f32) -> Self {
        self.poly1 = e1;
        self
    }

    /// Sets the reduction.
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }
}

impl Spec for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }
    fn family(&self) -> Family {
        Family::ClassIndex
    }
    fn maths(&self) -> Maths<'_> {
        Maths::ClassIndex(self)
    }
    fn targets(&self) -> TargetKind {
        TargetKind::ClassIndex
    }
    fn reduction(&self) -> Option<Reduction> {
        Some(self.reduction)
    }
    fn mean_divisor(&self, shape: &Shape) -> Divisor {
        RowWeights::mean_over_labels(self.rows.row_weights, shape, &self.ignore_index, self.class_weights.is_some())
    }
    fn check(&self, shape: &Shape) -> Result<(), Error> {
        check_unit("label_smoothing", self.label_smoothing)?;
        check_option("poly1", self.poly1, "finite", self.poly1.is_finite())?;
        if self.smoothing == Smoothing::OtherClasses && shape.n_classes == 1 {
            return Err(Error::NoOtherClasses);
        }
        self.rows.check()?;
        check_class_weights(self.class_weights.as_deref(), shape)
    }
    fn ignore_index(&self) -> &[i32] {
        &self.ignore_index
    }
    fn rows(&self) -> &RowOptions {
        &self.rows
    }
    fn poly1(&self) -> f32 {
        self.poly1
    }
    fn class_factors(&self) -> &[f32] {
        self.class_weights.as_deref().unwrap_or(ONE)
    }
    fn shares(&self, n_classes: usize) -> Shares {
        match self.smoothing {
            Smoothing::AllClasses => Shares::over_all(self.label_smoothing, n_classes),
            Smoothing::OtherClasses => Shares::over_others(self.label_smoothing, n_classes),
        }
    }
}

impl ClassIndexMaths for CrossEntropy {
    /// `-log p_t`.
    #[inline(always)]
    fn loss<N: Number>(&self, log_p: N, _q: N) -> N {
        -log_p
    }

    #[inline(always)]
    fn dloss_dlog_p<N: Number>(&self, _log_p: N, _q: N) -> N {
        N::from(-1.0)
    }
}
