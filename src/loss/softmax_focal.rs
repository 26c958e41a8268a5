use super::row_options::row_option_builders;
use super::{
    ClassIndexMaths, CrossEntropy, Divisor, Family, Maths, ONE, PerClass, Reduction, RowOptions, RowWeights, Spec,
    TargetKind, check_option,
};
use crate::number::Number;
use crate::{Error, Shape};

/// Focal loss through a softmax (Lin et al. 2017, eq. 5), one class index per row.
///
/// With `p_t` the target's probability and `q = 1 - p_t`, a row's loss is `alpha_t q^gamma (-log p_t)`. `q` is
/// computed without cancellation, so confident rows keep their relative accuracy. `Mean` divides by the number of
/// rows kept; `alpha` is never in a divisor. `gamma = 0` without `alpha` is [`CrossEntropy`], bit for bit.
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::{Engine, Inputs, Pass, Shape, SoftmaxFocal};
///
/// let logits = [2.0, 1.0, 0.1];
/// let inputs = Inputs::new(&logits).targets(&[0]);
/// let loss = SoftmaxFocal::new(2.0).alpha([0.25, 1.0, 1.0]);
/// let out = Engine::cpu().evaluate(loss, Pass::Forward, Shape::new(1, 3), inputs)?;
/// let p: f32 = 0.659001;
/// assert!((out.values[0] + 0.25 * (1.0 - p).powi(2) * p.ln()).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct SoftmaxFocal {
    /// Focus: 0 is cross-entropy, 2 is the paper's choice. Finite, at least 0.
    pub gamma: f32,
    /// Factor on a row's loss by its target class.
    pub alpha: Option<PerClass>,
    /// Labels of rows that do not count.
    pub ignore_index: Vec<i32>,
    /// `e1`: adds `e1 (1 - p_t)` to a row's loss, without `alpha`.
    pub poly1: f32,
    /// Options shared by the softmax losses.
    pub rows: RowOptions,
    /// From row losses to the output.
    pub reduction: Reduction,
}

row_option_builders!(SoftmaxFocal);

impl SoftmaxFocal {
    /// No `alpha`, no ignored label, no extras, reduction `Mean`.
    pub fn new(gamma: f32) -> Self {
        let rows = RowOptions::default();
        SoftmaxFocal { gamma, alpha: None, ignore_index: Vec::new(), poly1: 0.0, rows, reduction: Reduction::Mean }
    }

    /// Sets `alpha`: one number in 0..=1 for all classes, or any finite number per class.
    pub fn alpha(mut self, alpha: impl Into<PerClass>) -> Self {
        self.alpha = Some(alpha.into());
        self
    }

    /// Rows with this label do not count; may be called for several.
    pub fn ignore_index(mut self, label: i32) -> Self {
        self.ignore_index.push(label);
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

    /// The cross-entropy that it is without focus and `alpha`, to the bit.
    pub(super) fn as_cross_entropy(&self) -> Option<CrossEntropy> {
        (self.gamma == 0.0 && self.alpha.is_none()).then(|| {
            let Self { ignore_index, poly1, rows, reduction, .. } = self.clone();
            CrossEntropy { ignore_index, poly1, rows, reduction, ..CrossEntropy::default() }
        })
    }
}

impl Spec for SoftmaxFocal {
    fn name(&self) -> &'static str {
        "softmax_focal"
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
        RowWeights::mean_over_labels(self.rows.row_weights, shape, &self.ignore_index, false)
    }
    fn check(&self, shape: &Shape) -> Result<(), Error> {
        check_gamma(self.gamma)?;
        check_option("poly1", self.poly1, "finite", self.poly1.is_finite())?;
        self.rows.check()?;
        match &self.alpha {
            None => Ok(()),
            Some(PerClass::All(alpha)) => super::check_unit("alpha", *alpha),
            Some(PerClass::Each(alpha)) => PerClass::check_values("alpha", alpha, shape.n_classes),
        }
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
        self.alpha.as_ref().map_or(ONE, PerClass::as_slice)
    }
    fn loss_args(&self) -> [f32; 4] {
        gamma_args(self.gamma)
    }
}

pub(super) fn check_gamma(gamma: f32) -> Result<(), Error> {
    check_option("gamma", gamma, "finite and at least 0", (0.0..=f32::MAX).contains(&gamma))
}

/// `gamma`, and its leading 12 bits: times a binary exponent (at most 8 bits) they are exact in f32, which is what
/// keeps `q^gamma` accurate for tiny `q`.
pub(super) fn gamma_args(gamma: f32) -> [f32; 4] {
    [gamma, f32::from_bits(gamma.to_bits() & 0xffff_f000), 0.0, 0.0]
}

impl ClassIndexMaths for SoftmaxFocal {
    /// `q^gamma (-log p_t)`.
    #[inline(always)]
    fn loss<N: Number>(&self, log_p: N, q: N) -> N {
        q.powf(self.gamma.into()).times(-log_p)
    }

    /// `-q^gamma (1 + gamma p_t r)` with `r = -log p_t / q`, 1 where `q = 0`; `p_t r = 0` where `p_t = 0`.
    #[inline(always)]
    fn dloss_dlog_p<N: Number>(&self, log_p: N, q: N) -> N {
        let gamma = f64::from(self.gamma);
        let r = if q.value() == 0.0 { N::from(1.0) } else { -log_p / q };
        let p_r = log_p.exp().times(r);
        -q.powf(gamma) * (p_r * gamma + 1.0)
    }
}
