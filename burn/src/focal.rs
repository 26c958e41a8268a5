use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor};
use surprisal::{PerClass, Reduction, SoftmaxFocal};

use crate::call::Call;
use crate::class_index::{Rows, labels_to_ignore};
use crate::targets::Targets;

/// Configures a [`FocalLoss`], in the manner of burn's losses.
#[derive(Config, Debug)]
pub struct FocalLossConfig {
    /// Focus, at least 0: how much less rows count whose target is already likely.
    #[config(default = 2.0)]
    pub gamma: f32,
    /// A factor per class `[C]` on the losses of rows that have it as their target.
    pub alpha: Option<Vec<f32>>,
    /// Rows with one of these as their target do not count. A mean over none that counts is NaN.
    pub pad_tokens: Option<Vec<usize>>,
}

/// Focal loss through a softmax (Lin et al. 2017, eq. 5) with a class index per row.
///
/// With `p_t` the target's probability, a row's loss is `alpha_t (1 - p_t)^gamma (-log p_t)`; the mean divides by the
/// number of rows that count. burn has none.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use surprisal_burn::FocalLossConfig;
///
/// let device = Device::flex();
/// let logits = Tensor::<2>::from_floats([[2.0, 1.0, 0.1]], &device);
/// let loss = FocalLossConfig::new().with_alpha(Some(vec![0.25, 1.0, 1.0])).init(&device);
/// let mean: f32 = loss.forward(logits, Tensor::from_ints([0], &device)).into_scalar();
/// let p: f32 = 0.659001;
/// assert!((mean + 0.25 * (1.0 - p).powi(2) * p.ln()).abs() < 1e-6);
/// ```
#[derive(Module, Debug)]
pub struct FocalLoss {
    /// For when burn's own operations compute it.
    alpha: Option<Tensor<1>>,
    #[module(skip)]
    fused: SoftmaxFocal,
}

impl FocalLossConfig {
    /// The loss; its factors lie on the device, for when burn's own operations compute it.
    ///
    /// # Panics
    /// If gamma or a pad token are out of range.
    pub fn init(&self, device: &Device) -> FocalLoss {
        let gamma = self.gamma;
        assert!((0.0..=f32::MAX).contains(&gamma), "found gamma {gamma}, expected a finite number, at least 0");
        let mut fused = SoftmaxFocal::new(gamma);
        fused.alpha = self.alpha.clone().map(PerClass::Each);
        fused.ignore_index = labels_to_ignore(self.pad_tokens.as_deref());
        FocalLoss { alpha: self.alpha.as_deref().map(|alpha| Tensor::from_floats(alpha, device)), fused }
    }
}

impl FocalLoss {
    /// The mean `[1]` over rows, of logits `[N, C]` and targets `[N]` in 0..C.
    ///
    /// # Panics
    /// If there is not one target, or one `alpha`, for each row, or class.
    pub fn forward(&self, logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
        match Call::with_labels(&logits, &targets, &self.fused, [1]) {
            Some(call) => call.evaluate(logits.into_dispatch(), Targets::Labels(targets.into_dispatch())),
            None => {
                let rows = Rows::new(logits, targets, &self.fused.ignore_index);
                rows.mean(rows.focal(self.fused.gamma, self.alpha.clone()))
            }
        }
    }

    /// The losses of the rows `[N]`, 0 where the target is a pad token; otherwise as [`FocalLoss::forward`].
    ///
    /// # Panics
    /// As that does.
    pub fn forward_no_reduction(&self, logits: Tensor<2>, targets: Tensor<1, Int>) -> Tensor<1> {
        let fused = self.fused.clone().reduction(Reduction::None);
        match Call::with_labels(&logits, &targets, fused, targets.dims()) {
            Some(call) => call.evaluate(logits.into_dispatch(), Targets::Labels(targets.into_dispatch())),
            None => Rows::new(logits, targets, &self.fused.ignore_index).focal(self.fused.gamma, self.alpha.clone()),
        }
    }
}
