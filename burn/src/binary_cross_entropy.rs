use burn::backend::Dispatch;
use burn::config::Config;
use burn::module::Module;
use burn::nn::loss;
use burn::tensor::{Device, Int, Tensor};
use surprisal::{BinaryCrossEntropy, Broadcast};

use crate::call::Call;
use crate::targets::Targets;

/// Configures a [`BinaryCrossEntropyLoss`] as burn's `BinaryCrossEntropyLossConfig` does.
#[derive(Config, Debug)]
pub struct BinaryCrossEntropyLossConfig {
    /// A factor, greater than 0, per class `[C]`; for logits `[N]` one for each of the two labels.
    pub weights: Option<Vec<f32>>,
    /// Share `a` in 0..=1 of each label: it becomes `y (1-a) + a/C`, with C = 2 for logits `[N]`.
    pub smoothing: Option<f32>,
    /// Whether the loss takes the sigmoid of its inputs: numerically the better start. If not, they are probabilities.
    #[config(default = false)]
    pub logits: bool,
}

/// Binary cross-entropy of sigmoid(logits), or of probabilities, with a label of 0 or 1 for each.
///
/// From logits an element's loss is `w (y sp(-x) + (1-y) sp(x))`, `sp` the softplus; from probabilities
/// `-w (y log p + (1-y) log(1-p))`, the logarithms at least -100, as in burn and PyTorch.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use surprisal_burn::BinaryCrossEntropyLossConfig;
///
/// let device = Device::flex();
/// let logits = Tensor::<2>::from_floats([[-20.0, 20.0]], &device);
/// let loss = BinaryCrossEntropyLossConfig::new().with_logits(true).init(&device);
/// let mean: f32 = loss.forward(logits, Tensor::from_ints([[0, 1]], &device)).into_scalar();
/// assert!((mean / 2.061154e-9 - 1.0).abs() < 1e-6);
/// ```
#[derive(Module, Debug)]
pub struct BinaryCrossEntropyLoss {
    /// What computes it where surprisal does not.
    composed: loss::BinaryCrossEntropyLoss,
}

impl BinaryCrossEntropyLossConfig {
    /// The loss, its weights on the device.
    ///
    /// # Panics
    /// If weights or smoothing are out of range.
    pub fn init(&self, device: &Device) -> BinaryCrossEntropyLoss {
        let composed = loss::BinaryCrossEntropyLossConfig::new()
            .with_weights(self.weights.clone())
            .with_smoothing(self.smoothing)
            .with_logits(self.logits)
            .init(device);
        BinaryCrossEntropyLoss { composed }
    }
}

impl BinaryCrossEntropyLoss {
    /// The mean `[1]` over elements, of logits and labels `[N]` or `[N, .., C]`.
    ///
    /// # Panics
    /// If the shapes differ, or there is not one weight for each class.
    pub fn forward<const D: usize>(&self, logits: Tensor<D>, targets: Tensor<D, Int>) -> Tensor<1> {
        let labels = self.smoothed(targets.clone());
        let fused = if self.composed.logits { BinaryCrossEntropy::new() } else { BinaryCrossEntropy::of_probs() };
        match Call::with_numbers(&logits, &labels, fused, [1]) {
            Some(call) => call.evaluate(logits.into_dispatch(), self.weighted(labels, targets)),
            None => self.composed.forward(logits, targets),
        }
    }

    fn smoothed<const D: usize>(&self, targets: Tensor<D, Int>) -> Tensor<D> {
        let n_classes = if D > 1 { targets.dims()[D - 1] } else { 2 };
        match self.composed.smoothing {
            Some(a) => targets.float() * (1.0 - a) + a / n_classes as f32,
            None => targets.float(),
        }
    }

    /// Labels, and the weights of their classes or their own.
    fn weighted<const D: usize>(&self, labels: Tensor<D>, targets: Tensor<D, Int>) -> Targets<Dispatch> {
        let (labels, n_classes) = (labels.clone().into_dispatch(), labels.dims()[D - 1]);
        let Some(weights) = self.composed.weights.clone() else { return Targets::Numbers(labels) };
        if D == 1 {
            let of_labels = weights.gather(0, targets.flatten::<1>(0, 0));
            return Targets::Weighted(labels, of_labels.into_dispatch(), Broadcast::PerElement);
        }
        let [found] = weights.dims();
        assert!(found == n_classes, "found {found} weights, expected {n_classes}, one per class of the last dimension");
        Targets::Weighted(labels, weights.into_dispatch(), Broadcast::PerClass)
    }
}
