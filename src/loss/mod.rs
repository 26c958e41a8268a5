//! The losses as plain data: one file each, with its options, its checks and its two functions in f64.

mod binary_cross_entropy;
mod cross_entropy;
mod distillation;
mod divergence;
mod entropy;
mod family;
mod jensen_shannon;
mod kl_divergence;
mod maths;
mod negative_log_likelihood;
mod per_class;
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
pub use distillation::{Distillation, HardPart, SoftPart};
pub use divergence::Divergence;
pub use entropy::Entropy;
pub use family::{Family, Gradients, Support, Terms};
pub use jensen_shannon::{JensenShannon, Jsd};
pub use kl_divergence::{Kl, KlDivergence};
pub(crate) use maths::{
    AnyClassIndex, AnyDistribution, AnyElementwise, AnySoftmax, Class, ClassIndexMaths, DistributionMaths,
    ElementwiseMaths, Maths, SoftmaxMaths,
};
pub use negative_log_likelihood::NegativeLogLikelihood;
pub(crate) use per_class::ONE;
pub use per_class::PerClass;
pub use reverse_kl_divergence::{ReverseKl, ReverseKlDivergence};
pub use row_options::{RowOptions, RowWeights};
pub use sigmoid_focal::SigmoidFocal;
pub use soft_cross_entropy::SoftCrossEntropy;
pub use softmax_focal::SoftmaxFocal;
pub use top_k::{Rest, TopK};
pub use total_variation::{TotalVariation, Tv};

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
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::{CrossEntropy, Engine, Inputs, Pass, Reduction, Shape};
///
/// // Two micro-batches of a step of four tokens: their losses add up to the step's mean.
/// let loss = CrossEntropy::new().reduction(Reduction::SumDividedByInput);
/// let micro = |labels: &[i32; 2]| {
///     let inputs = Inputs::new(&[0.0; 4]).targets(labels).divisor(4.0);
///     Engine::new()?.evaluate(&loss, Pass::Forward, Shape::new(2, 2), inputs)
/// };
/// let mean = micro(&[0, 1])?.values[0] + micro(&[1, 1])?.values[0];
/// assert!((mean - std::f32::consts::LN_2).abs() < 1e-6);
/// # Ok(()) }
/// ```
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
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::{CrossEntropy, Engine, Inputs, Pass, Reduction, Shape};
///
/// let engine = Engine::new()?;
/// let (loss, shape) = (CrossEntropy::new().reduction(Reduction::None), Shape::new(1, 3));
/// let inputs = Inputs::new(&[2.0, 1.0, 0.1]).targets(&[0]);
///
/// // Now the loss; the gradient later, once it is known what comes from upstream.
/// let forward = engine.evaluate(&loss, Pass::Forward, shape, inputs)?;
/// let row_state = forward.row_state.expect("a forward pass saves it");
/// let backward = engine.evaluate(&loss, Pass::Backward, shape, inputs.row_state(&row_state).dloss(&[0.5]))?;
/// let dlogits = backward.dlogits.expect("a backward pass has it");
/// assert!((dlogits[0] - 0.5 * (0.659001 - 1.0)).abs() < 1e-6); // p - 1, halved
/// # Ok(()) }
/// ```
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

/// What every loss says about itself. The engine asks; a loss never calls back.
pub(crate) trait Spec {
    /// The loss's name, and that of its shader fragment.
    fn name(&self) -> &'static str;
    fn family(&self) -> Family;
    fn maths(&self) -> Maths<'_>;
    /// What stands in the logits' place.
    fn input(&self) -> Form {
        match self.family() {
            Family::GivenLogProb => Form::LogProbs,
            Family::Distribution { student, .. } => student,
            _ => Form::Logits,
        }
    }
    fn targets(&self) -> TargetKind;
    /// `None` for operations without a reduction.
    fn reduction(&self) -> Option<Reduction>;
    /// What `Mean` divides by.
    fn mean_divisor(&self, shape: &Shape) -> Divisor;
    /// What a row counts in the divisor of `Mean`, where it counts for itself.
    fn row_size(&self, _shape: &Shape) -> usize {
        1
    }
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
    /// Whether targets, one number per class, have a meaning in 0..=1 alone.
    fn targets_are_probabilities(&self) -> bool {
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
            Loss::SoftmaxFocal(focal) => focal.as_cross_entropy().map_or(focal.into(), Loss::CrossEntropy),
            Loss::Distillation(sum) => sum.simplified().into(),
            other => other,
        }
    }

    /// Its name, e.g. `cross_entropy`: also that of its shader.
    pub fn name(&self) -> &'static str {
        self.spec().name()
    }

    /// The machinery it runs through.
    pub fn family(&self) -> Family {
        self.spec().family()
    }

    /// What stands in the logits' place.
    ///
    /// ```
    /// use surprisal::{Entropy, Form, Loss};
    ///
    /// assert_eq!(Loss::from(Entropy::of_probs()).input(), Form::Probs);
    /// ```
    pub fn input(&self) -> Form {
        self.spec().input()
    }

    /// What it reads beside the logits.
    pub fn targets(&self) -> TargetKind {
        self.spec().targets()
    }

    /// How the losses of a batch become the output; none of an operation that has no reduction.
    pub fn reduction(&self) -> Option<Reduction> {
        self.spec().reduction()
    }

    /// The same with another reduction, which [`crate::Problem::new`] holds against the loss; an operation that has none
    /// stays as it is.
    ///
    /// ```
    /// use surprisal::{CrossEntropy, Loss, Reduction};
    ///
    /// let by_row = Loss::from(CrossEntropy::new()).with_reduction(Reduction::None);
    /// assert_eq!(by_row, CrossEntropy::new().reduction(Reduction::None).into());
    /// assert_eq!(Loss::Softmax.with_reduction(Reduction::Sum), Loss::Softmax);
    /// ```
    pub fn with_reduction(self, reduction: Reduction) -> Loss {
        match self {
            Loss::LogSoftmax | Loss::Softmax => self,
            Loss::CrossEntropy(spec) => spec.reduction(reduction).into(),
            Loss::NegativeLogLikelihood(spec) => spec.reduction(reduction).into(),
            Loss::SoftCrossEntropy(spec) => spec.reduction(reduction).into(),
            Loss::KlDivergence(spec) => spec.reduction(reduction).into(),
            Loss::ReverseKlDivergence(spec) => spec.reduction(reduction).into(),
            Loss::JensenShannon(spec) => spec.reduction(reduction).into(),
            Loss::TotalVariation(spec) => spec.reduction(reduction).into(),
            Loss::SoftmaxFocal(spec) => spec.reduction(reduction).into(),
            Loss::BinaryCrossEntropy(spec) => spec.reduction(reduction).into(),
            Loss::SigmoidFocal(spec) => spec.reduction(reduction).into(),
            Loss::Entropy(spec) => spec.reduction(reduction).into(),
            Loss::Distillation(spec) => spec.reduction(reduction).into(),
        }
    }

    /// The labels of rows that do not count.
    pub fn ignore_index(&self) -> &[i32] {
        self.spec().ignore_index()
    }

    /// What a weight per row does, where the inputs bring one.
    pub fn row_weights(&self) -> Option<RowWeights> {
        self.spec().row_weights()
    }

    /// Of a teacher that names its classes, how many and what the others have.
    pub fn top_k(&self) -> Option<TopK> {
        self.spec().top_k()
    }

    /// The factor on loss and gradient: T^2 of a divergence that is scaled by it, 1 otherwise.
    pub fn scale(&self) -> f64 {
        self.spec().scale()
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
