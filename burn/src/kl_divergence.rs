use burn::config::Config;
use burn::module::Module;
use burn::nn::loss;
use burn::tensor::{Tensor, activation::log_softmax};
use surprisal::{Form, KlDivergence, Reduction};

use crate::call::Call;
use crate::targets::Targets;

/// Configures a [`KLDivLoss`] as burn's `KLDivLossConfig` does, and what it starts from.
#[derive(Config, Debug)]
pub struct KLDivLossConfig {
    /// Whether the targets are log-probabilities, not probabilities.
    #[config(default = false)]
    pub log_target: bool,
    /// Whether the predictions are logits, of which the loss takes the softmax, not log-probabilities.
    #[config(default = false)]
    pub logits: bool,
}

/// Kullback-Leibler divergence `sum_c p_c (log p_c - log q_c)` of predictions `q` from targets `p`, over the last
/// dimension.
///
/// ```
/// use burn::nn::loss::Reduction;
/// use burn::tensor::{Device, Tensor};
/// use surprisal_burn::KLDivLossConfig;
///
/// let device = Device::flex();
/// let logits = Tensor::<2>::from_floats([[0.0, 0.0]], &device);
/// let probs = Tensor::<2>::from_floats([[0.25, 0.75]], &device);
/// let loss = KLDivLossConfig::new().with_logits(true).init();
/// let nats: f32 = loss.forward(logits, probs, Reduction::BatchMean).into_scalar();
/// assert!((nats - 0.130812).abs() < 1e-6);
/// ```
#[derive(Module, Debug)]
pub struct KLDivLoss {
    /// What computes it where surprisal does not.
    composed: loss::KLDivLoss,
    logits: bool,
}

impl KLDivLossConfig {
    /// The loss.
    pub fn init(&self) -> KLDivLoss {
        KLDivLoss {
            composed: loss::KLDivLossConfig::new().with_log_target(self.log_target).init(),
            logits: self.logits,
        }
    }
}

impl KLDivLoss {
    /// The divergences, reduced `[1]`, of predictions and targets `[N, .., C]`. `Auto` and `BatchMean` divide their sum
    /// by N, `Mean` by the number of elements.
    ///
    /// Targets are constants: unlike burn's loss, this one has no gradient for them.
    ///
    /// # Panics
    /// If the shapes differ.
    pub fn forward<const D: usize>(
        &self,
        predictions: Tensor<D>,
        targets: Tensor<D>,
        reduction: loss::Reduction,
    ) -> Tensor<1> {
        let fused = self.fused().reduction(match reduction {
            loss::Reduction::BatchMean | loss::Reduction::Auto => Reduction::SumDividedBy(predictions.dims()[0] as f32),
            loss::Reduction::Mean => Reduction::Mean,
            loss::Reduction::Sum => Reduction::Sum,
        });
        match Call::with_numbers(&predictions, &targets, fused, [1]) {
            Some(call) => call.evaluate(predictions.into_dispatch(), Targets::Numbers(targets.into_dispatch())),
            None => self.composed.forward(self.log_probs(predictions), targets, reduction),
        }
    }

    /// `p_c (log p_c - log q_c)` for each element, of the predictions' shape; otherwise as [`KLDivLoss::forward`].
    ///
    /// # Panics
    /// As that does.
    pub fn forward_no_reduction<const D: usize>(&self, predictions: Tensor<D>, targets: Tensor<D>) -> Tensor<D> {
        let fused = self.fused().per_element().reduction(Reduction::None);
        match Call::with_numbers(&predictions, &targets, fused, predictions.shape()) {
            Some(call) => call.evaluate(predictions.into_dispatch(), Targets::Numbers(targets.into_dispatch())),
            None => self.composed.forward_no_reduction(self.log_probs(predictions), targets),
        }
    }

    fn fused(&self) -> KlDivergence {
        let target = if self.composed.log_target { Form::LogProbs } else { Form::Probs };
        if self.logits { KlDivergence::from_logits(target) } else { KlDivergence::from_log_probs(target) }
    }

    fn log_probs<const D: usize>(&self, predictions: Tensor<D>) -> Tensor<D> {
        if self.logits { log_softmax(predictions, D - 1) } else { predictions }
    }
}
