/// Choices where conventions differ, for every loss of an engine: [`crate::Engine::policy`],
/// [`crate::GpuEngine::policy`], [`crate::Problem::policy`].
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::{CrossEntropy, EmptyMean, Engine, Inputs, Pass, Policy, Shape};
///
/// let loss = CrossEntropy::new().ignore_index(-100);
/// let mean = |engine: Engine| {
///     let inputs = Inputs::new(&[0.5, 1.5]).targets(&[-100]); // nothing that counts
///     engine.evaluate(&loss, Pass::Forward, Shape::new(1, 2), inputs)
/// };
/// assert!(mean(Engine::cpu())?.values[0].is_nan());
/// let policy = Policy::new().empty_mean(EmptyMean::Zero);
/// assert_eq!(mean(Engine::cpu().policy(policy))?.values, [0.0]);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Policy {
    /// The mean over nothing.
    pub empty_mean: EmptyMean,
    /// Rows at the edge of what has a value.
    pub corners: Corners,
}

/// What a mean is whose divisor is 0: no rows, all of them ignored, weights that sum to 0. Its gradient is 0 either
/// way, unless [`Corners::PyTorch`] is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EmptyMean {
    /// NaN, as in PyTorch: a mean over nothing is no number.
    #[default]
    Nan,
    /// 0: a step without tokens does not end a training run.
    Zero,
}

/// What a row's loss and gradient are where one loss has more than one answer.
///
/// | | `Exact` | `PyTorch` |
/// |---|---|---|
/// | gradient of an ignored row with NaN, +inf or nothing but -inf among its logits | 0 | NaN, through the softmax |
/// | loss of a masked target (-inf) of class weight 0 | 0 | NaN |
/// | ... of a masked class of weight 0 under label smoothing | the others' | NaN |
/// | ... of a masked class without target mass, for a distribution | the others' | NaN |
/// | KL where neither P, as probabilities or logits, nor Q has the class | the others' | NaN |
/// | KL where P is a log-probability of -inf | the others' | NaN |
/// | a mean over a divisor of 0 | NaN | the sum over 0: infinite, or NaN for a sum of 0 |
/// | its gradient, in rows that count | 0 | NaN |
///
/// The gradients are the same where the table has losses alone. Where the last line has NaN, PyTorch itself also has
/// infinities, and for given log-probabilities 0 beside the target. Rows of row weight 0, which PyTorch does not have,
/// count for nothing either way, and the gradient with respect to a teacher is exact.
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::{Corners, CrossEntropy, Engine, Inputs, Pass, Policy, Reduction, Shape};
///
/// // The target is masked, and its class has no weight.
/// let loss = CrossEntropy::new().class_weights([0.0, 1.0]).reduction(Reduction::Sum);
/// let sum = |corners| {
///     let engine = Engine::cpu().policy(Policy::new().corners(corners));
///     let inputs = Inputs::new(&[f32::NEG_INFINITY, 0.0]).targets(&[0]);
///     engine.evaluate(&loss, Pass::Forward, Shape::new(1, 2), inputs).map(|out| out.values[0])
/// };
/// assert_eq!(sum(Corners::Exact)?, 0.0);
/// assert!(sum(Corners::PyTorch)?.is_nan());
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Corners {
    /// A factor of exactly 0 wins against any other, and what does not count stays out.
    #[default]
    Exact,
    /// What PyTorch's arithmetic gives: 0 times infinity is NaN.
    PyTorch,
}

impl Policy {
    /// The defaults.
    pub const fn new() -> Self {
        Policy { empty_mean: EmptyMean::Nan, corners: Corners::Exact }
    }

    /// Sets what rows at the edge are.
    pub const fn corners(mut self, corners: Corners) -> Self {
        self.corners = corners;
        self
    }

    /// Sets the mean over nothing.
    pub const fn empty_mean(mut self, empty_mean: EmptyMean) -> Self {
        self.empty_mean = empty_mean;
        self
    }
}
