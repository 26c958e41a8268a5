//! The losses as plain data: one file each, with its options, its checks and its two functions in f64.

mod binary_cross_entropy;
mod cross_entropy;
mod distillation;
mod divergence;
mod entropy;
mod jensen_shannon;
mod kl_divergence;
mod negative_log_likelihood;
mod reverse_kl_divergence;
mod row_options;
mod sigmoid_focal;
mod soft_cross_entropy;
mod softmax;
mod softmax_focal;
mod top_k;
mod total_variation;

pub use binary_cross_entropy::BinaryCrossEntropy;
pub use cross_entropy::{CrossEntropy, Smoothing};
pub use distillation::{Distillation, SoftPart};
pub use divergence::Divergence;
pub use entropy::Entropy;
pub use jensen_shannon::{JensenShannon, Jsd};
pub use kl_divergence::{Kl, KlDivergence};
pub use negative_log_likelihood::NegativeLogLikelihood;
pub use reverse_kl_divergence::{ReverseKl, ReverseKlDivergence};
pub use row_options::{RowOptions, RowWeights};
pub use sigmoid_focal::SigmoidFocal;
pub use soft_cross_entropy::SoftCrossEntropy;
pub use softmax_focal::SoftmaxFocal;
pub use top_k::{Rest, TopK};
pub use total_variation::{TotalVariation, Tv};

use crate::reference::Real;
use crate::{Error, Shape};

/// What to compute. Built from one of the specs; plain data, cheap to clone except for class vectors.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Loss {
    /// `lp_c = (x_c - max x) - log sum_k exp(x_k - max x)`, one value per class.
    ///
    /// Backward from `g = dloss`: `g_c - p_c sum_k g_k`.
    ///
    /// ```
    /// # fn main() -> Result<(), surprisal::Error> {
    /// use surprisal::{Engine, Inputs, Loss, Pass, Shape};
    ///
    /// let inputs = Inputs::new(&[1e8, 1e8, f32::NEG_INFINITY]);
    /// let out = Engine::cpu().evaluate(Loss::LogSoftmax, Pass::Forward, Shape::new(1, 3), inputs)?;
    /// assert_eq!(out.values, [-std::f32::consts::LN_2, -std::f32::consts::LN_2, f32::NEG_INFINITY]);
    /// # Ok(()) }
    /// ```
    LogSoftmax,
    /// `p_c = exp(lp_c)`, one value per class.
    ///
    /// Backward from `g = dloss`: `p_c (g_c - sum_k g_k p_k)`.
    ///
    /// ```
    /// # fn main() -> Result<(), surprisal::Error> {
    /// use surprisal::{Engine, Inputs, Loss, Pass, Shape};
    ///
    /// let inputs = Inputs::new(&[0.5, 0.5, 0.5, 0.5]);
    /// let out = Engine::cpu().evaluate(Loss::Softmax, Pass::Forward, Shape::new(2, 2), inputs)?;
    /// assert_eq!(out.values, [0.5; 4]);
    /// # Ok(()) }
    /// ```
    Softmax,
    /// Cross-entropy with class indices.
    CrossEntropy(CrossEntropy),
    /// Cross-entropy of given log-probabilities with class indices.
    NegativeLogLikelihood(NegativeLogLikelihood),
    /// Cross-entropy with one probability per class.
    SoftCrossEntropy(SoftCrossEntropy),
    /// Kullback-Leibler divergence.
    KlDivergence(KlDivergence),
    /// Kullback-Leibler divergence of the targets from ours.
    ReverseKlDivergence(ReverseKlDivergence),
    /// Jensen-Shannon divergence.
    JensenShannon(JensenShannon),
    /// Total variation distance.
    TotalVariation(TotalVariation),
    /// Focal loss through a softmax.
    SoftmaxFocal(SoftmaxFocal),
    /// Binary cross-entropy through a sigmoid, or of probabilities.
    BinaryCrossEntropy(BinaryCrossEntropy),
    /// Focal loss through a sigmoid.
    SigmoidFocal(SigmoidFocal),
    /// Entropy of softmax(logits) or of a given distribution.
    Entropy(Entropy),
    /// Cross-entropy and a divergence from a teacher, weighted and summed.
    Distillation(Distillation),
}

/// How the losses of a batch become the output. With the default, `Mean`, each loss has the divisor its field uses;
/// its own page says which.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Reduction {
    /// One loss per row; per element for the elementwise losses and, on request, for the Kullback-Leibler divergence.
    None,
    /// The sum of all losses.
    Sum,
    /// The sum over the loss's own divisor; NaN, with gradient 0, when that divisor is 0.
    #[default]
    Mean,
    /// The sum over the number of rows; for the divergences.
    BatchMean,
    /// The sum over this number.
    SumDividedBy(f32),
    /// The sum over a number given with the inputs as `divisor`, on a GPU in a buffer: gradient accumulation without
    /// a round trip.
    SumDividedByInput,
}

/// The part of the work a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pass {
    /// Logits to values, and the row state from which `Backward` can start.
    Forward,
    /// Logits to values and `dlogits` in one go.
    ForwardBackward,
    /// Logits and saved row state to `dlogits`.
    Backward,
}

/// What numbers over the classes stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// Unnormalised: softmax makes them probabilities.
    Logits,
    /// Natural logarithms of probabilities.
    LogProbs,
    /// Probabilities.
    Probs,
}

/// One number for all classes, or one per class.
#[derive(Clone, Debug, PartialEq)]
pub enum PerClass {
    /// The same for every class.
    All(f32),
    /// One per class.
    Each(Vec<f32>),
}

impl From<f32> for PerClass {
    fn from(value: f32) -> Self {
        PerClass::All(value)
    }
}

impl From<Vec<f32>> for PerClass {
    fn from(values: Vec<f32>) -> Self {
        PerClass::Each(values)
    }
}

impl From<&[f32]> for PerClass {
    fn from(values: &[f32]) -> Self {
        PerClass::Each(values.to_vec())
    }
}

impl<const N: usize> From<[f32; N]> for PerClass {
    fn from(values: [f32; N]) -> Self {
        PerClass::Each(values.to_vec())
    }
}

/// The one-element vector that stands for "the same for every class".
pub(crate) const ONE: &[f32] = &[1.0];

impl PerClass {
    pub(crate) fn as_slice(&self) -> &[f32] {
        match self {
            PerClass::All(value) => std::slice::from_ref(value),
            PerClass::Each(values) => values,
        }
    }

    pub(crate) fn check(&self, option: &'static str, n_classes: usize) -> Result<(), Error> {
        match self {
            PerClass::All(value) => Self::check_values(option, std::slice::from_ref(value), 1),
            PerClass::Each(values) => Self::check_values(option, values, n_classes),
        }
    }

    pub(crate) fn check_values(option: &'static str, values: &[f32], expected: usize) -> Result<(), Error> {
        if values.len() != expected {
            return Err(Error::ClassVectorLength { option, expected, found: values.len() });
        }
        match values.iter().position(|value| !value.is_finite()) {
            Some(class) => Err(Error::ClassVectorValue { option, class, found: values[class] }),
            None => Ok(()),
        }
    }
}

/// The shared machinery a loss runs through; see ARCHITECTURE.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Softmax with one output per class.
    Softmax,
    /// Softmax, one label per row: `loss(log_p, q)`, `dloss_dlog_p(log_p, q)`.
    ClassIndex,
    /// No softmax, one label per row: `-w_t lp_t` of log-probabilities as given.
    GivenLogProb,
    /// A distribution against a distribution: `slope = dloss/dlog q`, `dx_j = slope_j - q_j sum_c slope_c`.
    Distribution {
        /// Whose loss it is: `Logits` or `LogProbs`.
        student: Form,
        /// What it is held against.
        teacher: Form,
        /// For which classes that is given.
        support: Support,
        /// How its sums over the classes come about.
        terms: Terms,
        /// Whose gradients are wanted.
        gradients: Gradients,
    },
    /// A class index and a distribution, of the same logits: cross-entropy and a divergence, weighted and summed.
    Distillation {
        /// The divergence's name.
        soft: &'static str,
        /// What it is from.
        teacher: Form,
        /// How its sums over the classes come about.
        terms: Terms,
    },
    /// Softmax and no target: the entropy.
    RowEntropy,
    /// One term per element: `loss(x, y)`, `dloss_dx(x, y)`.
    Elementwise,
}

/// The classes of a row that a teacher gives a number for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Support {
    /// Every class: one number each.
    Dense,
    /// The k classes it names, with a number each; see [`TopK`].
    TopK,
}

/// Whose gradient a loss of two distributions has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gradients {
    /// `dlogits`.
    Student,
    /// `dlogits` and `dtargets`.
    Both,
}

/// What a loss of a distribution Q against P sums over the classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Terms {
    /// `p h(log p, log q)`, h linear: summed in the read that finds the normalisers. The slopes are `-p`.
    MeanUnderTeacher,
    /// `q h(log p, log q)`, h linear: summed in the same read; so are the slopes, `q h`.
    MeanUnderStudent,
    /// Any function of p and q: summed in a second read, once both are known.
    Normalised,
    /// `p h(log p, log q)`, each a value of its own with an upstream gradient of its own.
    PerElement,
}

impl Terms {
    /// Whether the slopes sum to -1, whatever the row: those of a softmax's p do.
    pub(crate) fn slopes_known(self, teacher: Form) -> bool {
        self == Terms::MeanUnderTeacher && teacher == Form::Logits
    }
}

impl Family {
    /// Whether the targets have a gradient too.
    pub(crate) fn has_teacher_gradient(self) -> bool {
        matches!(self, Family::Distribution { gradients: Gradients::Both, .. })
    }

    /// Whether a teacher names the classes it has numbers for.
    pub(crate) fn is_top_k(self) -> bool {
        matches!(self, Family::Distribution { support: Support::TopK, .. })
    }

    /// Whether a row has one label.
    pub(crate) fn has_labels(self) -> bool {
        matches!(self, Family::ClassIndex | Family::GivenLogProb | Family::Distillation { .. })
    }

    /// Whether a backward pass starts from what a forward pass found over the classes.
    pub(crate) fn saves_state(self) -> bool {
        !matches!(self, Family::GivenLogProb | Family::Elementwise)
    }

    /// Numbers saved per row: the running maximum and sum of each softmax, and what else the gradient needs.
    pub(crate) fn state_width(self) -> usize {
        match self {
            Family::Softmax | Family::ClassIndex => 2, // m, D
            Family::RowEntropy => 3,                   // m, D, entropy
            Family::GivenLogProb | Family::Elementwise => 0,
            Family::Distillation { teacher, terms, .. } => {
                let (student, support, gradients) = (Form::Logits, Support::Dense, Gradients::Student);
                2 + Family::Distribution { student, teacher, support, terms, gradients }.state_width()
            }
            Family::Distribution { student, teacher, terms, gradients, .. } => {
                let softmaxes = [student, teacher].into_iter().filter(|&form| form == Form::Logits).count();
                let divergence = gradients == Gradients::Both && teacher == Form::Logits;
                2 * softmaxes + usize::from(!terms.slopes_known(teacher)) + usize::from(divergence) // m, D; the slopes' sum
            }
        }
    }

    /// Whether its rows may have weights: one value per row comes of its classes, and a binding is free.
    pub(crate) fn weighs_rows(self) -> bool {
        !matches!(self, Family::Softmax | Family::Elementwise | Family::Distillation { .. }) && !self.is_per_class()
    }

    /// Values that a row, or the batch, has: a sum of two losses comes with both.
    pub(crate) fn values_per_loss(self) -> usize {
        if matches!(self, Family::Distillation { .. }) { 3 } else { 1 }
    }

    /// Whether a loss reads `divisor` forward too: a term that no class weight touches is brought to it.
    pub(crate) fn has_mixed_divisors(self) -> bool {
        matches!(self, Family::ClassIndex | Family::Distillation { .. })
    }

    /// Lanes in a workgroup at most, so that what they share fits the 16 KiB that WebGPU promises.
    pub(crate) fn most_lanes(self) -> u32 {
        if matches!(self, Family::Distillation { .. }) { 128 } else { u32::MAX }
    }

    /// Whether a loss of distributions has one value per class.
    pub(crate) fn is_per_class(self) -> bool {
        matches!(self, Family::Distribution { terms: Terms::PerElement, .. })
    }

    /// Whether an element's gradient depends on the upstream gradient of its whole row.
    pub(crate) fn uses_whole_dloss(self) -> bool {
        self == Family::Softmax || self.is_per_class()
    }
}

/// What a loss reads beside the logits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetKind {
    /// Nothing.
    None,
    /// One class index per row.
    ClassIndex,
    /// One number per class.
    Values,
    /// Class indices, k per row, and a number for each.
    TopK,
}

/// The number a sum of losses is divided by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Divisor {
    /// Known before the launch.
    Number(f64),
    /// The kept rows, each counted with its class weight or as 1: known once labels and row weights are read.
    Kept {
        /// Whether a row counts with its class weight.
        weighted: bool,
        /// What a row counts before weights: 1, C for a mean over elements, 1/inner for one over slabs.
        row_size: f64,
    },
    /// Given with the inputs.
    Input,
}

/// A target with label smoothing: `target` of it where it was, and `even` at every class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shares {
    pub target: f64,
    pub even: f64,
}

impl Shares {
    /// No smoothing.
    pub const WHOLE: Shares = Shares { target: 1.0, even: 0.0 };

    /// `eps` of the target spread over all classes.
    pub fn over_all(eps: f32, n_classes: usize) -> Shares {
        let eps = f64::from(eps);
        Shares { target: 1.0 - eps, even: eps / n_classes as f64 }
    }

    /// `eps` of the target spread over the other classes: as much at its own, taken back there.
    pub fn over_others(eps: f32, n_classes: usize) -> Shares {
        let eps = f64::from(eps);
        let even = eps / (n_classes as f64 - 1.0);
        Shares { target: 1.0 - eps - even, even }
    }
}

/// A loss's own functions in f64: the twins of those in its shader fragment. All else is its family's.
pub(crate) enum Maths<'a> {
    Softmax(&'a dyn SoftmaxMaths),
    ClassIndex(&'a dyn ClassIndexMaths),
    GivenLogProb,
    Distribution(&'a dyn DistributionMaths),
    RowEntropy,
    Elementwise(&'a dyn ElementwiseMaths),
    /// Each part has its own.
    Distillation,
}

/// One value and one gradient per class.
pub(crate) trait SoftmaxMaths {
    fn value(&self, log_p: Real, p: Real) -> Real;
    /// From the upstream gradient of the class, and over the row the sum of it and that weighted by p.
    fn dlogit(&self, p: Real, g: f32, sum_g: Real, sum_gp: Real) -> Real;
}

/// Of the target's `log p_t` and `q = 1 - p_t`.
pub(crate) trait ClassIndexMaths {
    fn loss(&self, log_p: Real, q: Real) -> Real;
    fn dloss_dlog_p(&self, log_p: Real, q: Real) -> Real;
}

/// Of one class of both distributions.
pub(crate) trait DistributionMaths {
    /// The class's share of the loss.
    fn loss_term(&self, c: &Class) -> Real;
    /// `dloss/dlog q`, up to a multiple of q, which a softmax takes away again.
    fn slope(&self, c: &Class) -> Real;
    /// Whether a negative p has no meaning.
    fn reads_log_p(&self) -> bool {
        true
    }
    /// `log p - log q` for the divergence that has a gradient with respect to P.
    fn teacher_log_ratio(&self, _c: &Class) -> Option<Real> {
        None
    }
    /// For a divergence that is a mean of log-ratios: the class's share plus the other distribution's mass there, less
    /// its own, without the cancellation.
    fn gap(&self, _c: &Class) -> Option<f64> {
        None
    }
}

/// One class of P and Q.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class {
    pub p: Real,
    pub q: Real,
    pub log_p: Real,
    pub log_q: Real,
}

/// Of one element x, its target y and the factor of its class.
pub(crate) trait ElementwiseMaths {
    fn loss(&self, x: Real, y: Real, factor: f64) -> Real;
    fn dloss_dx(&self, x: Real, y: Real, factor: f64) -> Real;
}

/// What every loss says about itself. The engine asks; a loss never calls back.
pub(crate) trait Spec {
    /// The loss's name, and that of its shader fragment.
    fn name(&self) -> &'static str;
    fn family(&self) -> Family;
    fn maths(&self) -> Maths<'_>;
    fn targets(&self) -> TargetKind;
    /// `None` for operations without a reduction.
    fn reduction(&self) -> Option<Reduction>;
    /// What `Mean` divides by.
    fn mean_divisor(&self, shape: &Shape) -> Divisor;
    /// Refuses options outside their range.
    fn check(&self, shape: &Shape) -> Result<(), Error>;

    /// Whether `BatchMean` means something: the divergences have it.
    fn has_batch_mean(&self) -> bool {
        false
    }
    /// Whether the loss is one term per element, each with a value of its own under `Reduction::None`.
    fn per_element(&self) -> bool {
        false
    }
    /// Whether what stands in the logits' place has a meaning in 0..=1 alone.
    fn reads_probabilities(&self) -> bool {
        false
    }
    /// The two parts, of a sum of two.
    fn distillation(&self) -> Option<&Distillation> {
        None
    }
    /// Labels of rows that do not count.
    fn ignore_index(&self) -> &[i32] {
        &[]
    }
    /// Options of the softmax losses with one value per row.
    fn rows(&self) -> &RowOptions {
        &RowOptions::DEFAULT
    }
    /// What a weight per row does, where the inputs bring one.
    fn row_weights(&self) -> Option<RowWeights> {
        self.rows().row_weights
    }
    /// One factor per class, or one for all.
    fn class_factors(&self) -> &[f32] {
        ONE
    }
    /// What label smoothing makes of a target among `n_classes`.
    fn shares(&self, _n_classes: usize) -> Shares {
        Shares::WHOLE
    }
    fn temperature(&self) -> f32 {
        self.rows().temperature
    }
    /// A teacher that names its classes.
    fn top_k(&self) -> Option<TopK> {
        None
    }
    /// `e1` of `e1 (1 - p_t)`, added to a row's loss.
    fn poly1(&self) -> f32 {
        0.0
    }
    /// Factor on loss and gradient.
    fn scale(&self) -> f64 {
        1.0
    }
    /// The numbers the loss's own fragment names; zero where it names none.
    fn loss_args(&self) -> [f32; 4] {
        [0.0; 4]
    }
}

impl Loss {
    /// The loss as it is computed: a focal loss without focus is a cross-entropy, to the bit.
    pub(crate) fn simplified(self) -> Loss {
        match self {
            Loss::SoftmaxFocal(focal) => focal.simplified(),
            other => other,
        }
    }

    /// The registry: one line per loss.
    pub(crate) fn spec(&self) -> &dyn Spec {
        match self {
            Loss::LogSoftmax => &softmax::LogSoftmax,
            Loss::Softmax => &softmax::Softmax,
            Loss::CrossEntropy(spec) => spec,
            Loss::NegativeLogLikelihood(spec) => spec,
            Loss::SoftCrossEntropy(spec) => spec,
            Loss::KlDivergence(spec) => spec,
            Loss::ReverseKlDivergence(spec) => spec,
            Loss::JensenShannon(spec) => spec,
            Loss::TotalVariation(spec) => spec,
            Loss::SoftmaxFocal(spec) => spec,
            Loss::BinaryCrossEntropy(spec) => spec,
            Loss::SigmoidFocal(spec) => spec,
            Loss::Entropy(spec) => spec,
            Loss::Distillation(spec) => spec,
        }
    }
}

impl From<&Loss> for Loss {
    fn from(loss: &Loss) -> Self {
        loss.clone()
    }
}

/// Lets a call take a spec where it wants a [`Loss`].
macro_rules! into_loss {
    ($($spec:ident),*) => {$(
        impl From<$spec> for Loss {
            fn from(spec: $spec) -> Self {
                Loss::$spec(spec)
            }
        }
        impl From<&$spec> for Loss {
            fn from(spec: &$spec) -> Self {
                Loss::$spec(spec.clone())
            }
        }
    )*};
}
into_loss!(
    CrossEntropy,
    NegativeLogLikelihood,
    SoftCrossEntropy,
    KlDivergence,
    ReverseKlDivergence,
    JensenShannon,
    TotalVariation,
    SoftmaxFocal,
    BinaryCrossEntropy,
    SigmoidFocal,
    Entropy,
    Distillation
);

/// `check` of the class weights, where there are any.
pub(crate) fn check_class_weights(weights: Option<&[f32]>, shape: &Shape) -> Result<(), Error> {
    weights.map_or(Ok(()), |weights| PerClass::check_values("class_weights", weights, shape.n_classes))
}

/// `check` of a divisor of logits: neither it nor its inverse may leave the normal numbers of f32.
pub(crate) fn check_scale(option: &'static str, value: f32) -> Result<(), Error> {
    check_option(option, value, "in 1e-37..=1e37", (1e-37..=1e37).contains(&value))
}

/// `check` of an option that must lie in `0..=1`.
pub(crate) fn check_unit(option: &'static str, value: f32) -> Result<(), Error> {
    check_option(option, value, "in 0..=1", (0.0..=1.0).contains(&value))
}

/// `check` of an option by a condition; NaN fails every comparison, hence every condition.
pub(crate) fn check_option(option: &'static str, value: f32, expected: &'static str, holds: bool) -> Result<(), Error> {
    if holds { Ok(()) } else { Err(Error::Option { option, expected, found: value }) }
}
