use burn::config::Config;
use burn::module::Module;
use burn::nn::loss;
use burn::tensor::{Device, Int, Tensor};
use surprisal::{CrossEntropy, Reduction};

use crate::call::Call;
use crate::class_index::{Rows, labels_to_ignore};
use crate::targets::Targets;

/// Configures a [`CrossEntropyLoss`] as burn's `CrossEntropyLossConfig` does, from logits always.
#[derive(Config, Debug)]
pub struct CrossEntropyLossConfig {
    /// Rows with one of these as their target do not count. A mean over none that counts is NaN.
    pub pad_tokens: Option<Vec<usize>>,
    /// A factor per class `[C]`, greater than 0, on the losses of rows that have it as their target.
    pub weights: Option<Vec<f32>>,
    /// Share of each target, in 0..=1, that is spread evenly over the classes.
    pub smoothing: Option<f32>,
}

/// Cross-entropy of softmax(logits) with a class index per row.
///
/// With `lp = log_softmax(x)`, target `t`, weights `w` and smoothing `eps`, a row's loss is
/// `(1-eps) w_t (-lp_t) + (eps/C) (-sum_c w_c lp_c)`; the mean divides by the sum of `w_t` over the rows that count.
/// burn's own loss is the same up to rounding.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use surprisal_burn::CrossEntropyLossConfig;
///
/// let device = Device::flex().autodiff();
/// let logits = Tensor::<2>::from_floats([[2.0, 1.0, 0.1], [0.5, 2.5, 0.3]], &device).require_grad();
/// let targets = Tensor::from_ints([0, 2], &device);
///
/// let loss = CrossEntropyLossConfig::new().with_pad_tokens(Some(vec![2])).init(&device);
/// let mean = loss.forward(logits.clone(), targets); // of the first row, the second is padding
/// let dlogits = logits.grad(&mean.backward()).expect("they require it");
/// assert!((mean.into_scalar::<f32>() - 0.417030).abs() < 1e-6);
/// assert_eq!(dlogits.into_data().as_slice::<f32>().unwrap()[3..], [0.0, 0.0, 0.0]);
/// ```
#[derive(Module, Debug)]
pub struct CrossEntropyLoss {
    /// What computes it where surprisal does not.
    composed: loss::CrossEntropyLoss,
    #[module(skip)]
    fused: CrossEntropy,
}

impl CrossEntropyLossConfig {
    /// The loss; its weights lie on the device, for when burn's own operations compute it.
    ///
    /// # Panics
    /// If weights, smoothing or a pad token are out of range.
    pub fn init(&self, device: &Device) -> CrossEntropyLoss {
        let CrossEntropyLossConfig { pad_tokens, weights, smoothing } = self.clone();
        let composed = loss::CrossEntropyLossConfig::new()
            .with_pad_tokens(pad_tokens.clone())
            .with_weights(weights.clone())
            .with_smoothing(smoothing)
            .init(device);
        let mut fused = CrossEntropy::new().label_smoothing(smoothing.unwrap_or(0.0));
        fused.ignore_index = labels_to_ignore(pad_tokens.as_deref());
        fused.class_weights = weights;
        CrossEntropyLoss { composed, fused }
    }
}

impl CrossEntropyLoss {
    /// The mean `[1]` over rows, of logits `[N, C]` and targets `[N]` in 0..C.
    ///
    /// # Panics
    /// If there is not one target, or one weight, for each row, or class.
    pub fn forward(&self, logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
        match Call::with_labels(&logits, &targets, &self.fused, [1]) {
            Some(call) => call.evaluate(logits.into_dispatch(), Targets::Labels(targets.into_dispatch())),
            None => self.composed.forward(logits, targets),
        }
    }

    /// The losses of the rows `[N]`, 0 where the target is a pad token; otherwise as [`CrossEntropyLoss::forward`].
    ///
    /// # Panics
    /// As that does.
    pub fn forward_no_reduction(&self, logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
        let fused = self.fused.clone().reduction(Reduction::None);
        match Call::with_labels(&logits, &targets, fused, targets.dims()) {
            Some(call) => call.evaluate(logits.into_dispatch(), Targets::Labels(targets.into_dispatch())),
            None => Rows::new(logits, targets, &self.fused.ignore_index)
                .cross_entropy(self.composed.weights.clone(), self.fused.label_smoothing),
        }
    }
}
