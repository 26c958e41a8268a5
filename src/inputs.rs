/// Host tensors for one call: logits, and what the loss reads beside them.
///
/// ```
/// # use surprisal::{Broadcast, Inputs};
/// let (logits, targets) = (vec![0.3, -1.0], vec![1.0, 0.0]);
/// let inputs = Inputs::new(&logits).targets(&targets).weights(&[2.0, 1.0], Broadcast::PerClass).dloss(&[0.5]);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Inputs<'a> {
    /// `[N, C]`, row stride `logits_stride`: logits, or what the loss reads in their place.
    pub logits: &'a [f32],
    /// Labels `[N]`, or one number per class `[N, C]`.
    pub targets: Targets<'a>,
    /// Factors on the elements of an elementwise loss.
    pub weights: Option<(&'a [f32], Broadcast)>,
    /// Upstream gradient, of the output's shape; 1 if absent.
    pub dloss: Option<&'a [f32]>,
    /// The divisor of `Reduction::SumDividedByInput`.
    pub divisor: Option<f32>,
    /// What `Pass::Forward` saved, for `Pass::Backward`.
    pub row_state: Option<&'a [f32]>,
}

/// What the logits are held against.
#[derive(Clone, Copy, Debug)]
pub enum Targets<'a> {
    /// Nothing: softmax and entropy.
    None,
    /// One class index per row.
    ClassIndex(&'a [i32]),
    /// One number per class: probabilities, log-probabilities, logits or labels, as the loss says.
    Values(&'a [f32]),
}

/// How a tensor of fewer numbers spreads over `[N, C]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Broadcast {
    /// `[N]`
    PerRow,
    /// `[C]`
    PerClass,
    /// `[N, C]`
    PerElement,
}

impl<'a> Inputs<'a> {
    /// Logits alone.
    pub fn new(logits: &'a [f32]) -> Self {
        Inputs { logits, targets: Targets::None, weights: None, dloss: None, divisor: None, row_state: None }
    }

    /// Adds targets: `&[i32]` for class indices, `&[f32]` for one number per class.
    pub fn targets(mut self, targets: impl Into<Targets<'a>>) -> Self {
        self.targets = targets.into();
        self
    }

    /// Adds factors on the elements of an elementwise loss.
    pub fn weights(mut self, weights: &'a [f32], broadcast: Broadcast) -> Self {
        self.weights = Some((weights, broadcast));
        self
    }

    /// Adds the upstream gradient, of the output's shape.
    pub fn dloss(mut self, dloss: &'a [f32]) -> Self {
        self.dloss = Some(dloss);
        self
    }

    /// Adds the divisor of `Reduction::SumDividedByInput`.
    pub fn divisor(mut self, divisor: f32) -> Self {
        self.divisor = Some(divisor);
        self
    }

    /// Adds what `Pass::Forward` saved.
    pub fn row_state(mut self, row_state: &'a [f32]) -> Self {
        self.row_state = Some(row_state);
        self
    }
}

impl<'a> From<&'a [i32]> for Targets<'a> {
    fn from(labels: &'a [i32]) -> Self {
        Targets::ClassIndex(labels)
    }
}

impl<'a> From<&'a [f32]> for Targets<'a> {
    fn from(values: &'a [f32]) -> Self {
        Targets::Values(values)
    }
}

impl<'a> From<&'a Vec<i32>> for Targets<'a> {
    fn from(labels: &'a Vec<i32>) -> Self {
        Targets::ClassIndex(labels)
    }
}

impl<'a> From<&'a Vec<f32>> for Targets<'a> {
    fn from(values: &'a Vec<f32>) -> Self {
        Targets::Values(values)
    }
}

impl<'a, const N: usize> From<&'a [i32; N]> for Targets<'a> {
    fn from(labels: &'a [i32; N]) -> Self {
        Targets::ClassIndex(labels)
    }
}

impl<'a, const N: usize> From<&'a [f32; N]> for Targets<'a> {
    fn from(values: &'a [f32; N]) -> Self {
        Targets::Values(values)
    }
}

/// What a call returns.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Output {
    /// The reduced loss `[1]`, row losses `[N]`, or one value per element `[N, C]`; empty after `Pass::Backward`.
    pub values: Vec<f32>,
    /// The gradient, row stride `dlogits_stride` (padding is 0); absent after `Pass::Forward`.
    pub dlogits: Option<Vec<f32>>,
    /// The gradient with respect to the targets, row stride `dtargets_stride` (padding is 0), where it was asked for.
    pub dtargets: Option<Vec<f32>>,
    /// What `Pass::Backward` starts from; only after `Pass::Forward`.
    pub row_state: Option<Vec<f32>>,
}
