/// Choices where conventions differ, for every loss of an engine: [`crate::Engine::policy`],
/// [`crate::GpuEngine::policy`], [`crate::Problem::policy`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Policy {
    /// The mean over nothing.
    pub empty_mean: EmptyMean,
}

/// What a mean is whose divisor is 0: no rows, all of them ignored, weights that sum to 0. Its gradient is 0 either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum EmptyMean {
    /// NaN, as in PyTorch: a mean over nothing is no number.
    #[default]
    Nan,
    /// 0: a step without tokens does not end a training run.
    Zero,
}

impl Policy {
    /// The defaults.
    pub const fn new() -> Self {
        Policy { empty_mean: EmptyMean::Nan }
    }

    /// Sets the mean over nothing.
    pub const fn empty_mean(mut self, empty_mean: EmptyMean) -> Self {
        self.empty_mean = empty_mean;
        self
    }
}
