//! Values and gradients beside burn's own losses on a registered device.

use burn::nn::loss::{self, Reduction};
use burn::tensor::{DType, Device, Int, Tensor, activation};
use surprisal_burn::{BinaryCrossEntropyLossConfig, CrossEntropyLossConfig, FocalLossConfig, KLDivLossConfig};

use crate::registered::registered;
use crate::support::{Batch, assert_close, numbers, with_gradient};

/// Rows and classes: one lane's work, more lanes than classes, and more classes than lanes.
const SHAPES: [[usize; 2]; 3] = [[3, 5], [33, 10], [7, 1000]];
/// The largest loss of logits in [-4, 4): their difference and log 1000.
const LOSS: f32 = 16.0;

fn device() -> Device {
    registered().autodiff()
}

fn identity(loss: Tensor<1>) -> Tensor<1> {
    loss
}

fn cross_entropies(n_classes: usize) -> Vec<CrossEntropyLossConfig> {
    let weights: Vec<f32> = (0..n_classes).map(|class| 0.5 + (class % 4) as f32 / 2.0).collect();
    let plain = CrossEntropyLossConfig::new();
    vec![
        plain.clone(),
        plain.clone().with_pad_tokens(Some(vec![1, 3])),
        plain.clone().with_smoothing(Some(0.1)),
        plain.clone().with_weights(Some(weights.clone())),
        plain.with_weights(Some(weights)).with_smoothing(Some(0.2)).with_pad_tokens(Some(vec![2])),
    ]
}

fn burns(config: &CrossEntropyLossConfig, device: &Device) -> loss::CrossEntropyLoss {
    loss::CrossEntropyLossConfig::new()
        .with_pad_tokens(config.pad_tokens.clone())
        .with_weights(config.weights.clone())
        .with_smoothing(config.smoothing)
        .init(device)
}

#[test]
fn cross_entropy_is_burns() {
    let device = device();
    for shape in SHAPES {
        let Batch { logits, labels, .. } = Batch::new(shape, &device);
        for config in cross_entropies(shape[1]) {
            let what = format!("{shape:?}, {config:?}");
            let (fused, composed) = (config.init(&device), burns(&config, &device));
            let [ours, dours] = with_gradient(&logits, |x| fused.forward(x, labels.clone()), identity);
            let [theirs, dtheirs] = with_gradient(&logits, |x| composed.forward(x, labels.clone()), identity);
            assert_close(&what, &ours, &theirs, LOSS);
            assert_close(&what, &dours, &dtheirs, 1.0 / shape[0] as f32);
        }
    }
}

#[test]
fn gradient_of_a_factor_is_a_factor_on_the_gradient() {
    let device = device();
    let Batch { logits, labels, .. } = Batch::new([33, 10], &device);
    let loss = CrossEntropyLossConfig::new().init(&device);
    let [_, once] = with_gradient(&logits, |x| loss.forward(x, labels.clone()), identity);
    let [_, thrice] = with_gradient(&logits, |x| loss.forward(x, labels.clone()), |loss| loss * 3.0);
    let scaled: Vec<f32> = once.iter().map(|g| g * 3.0).collect();
    assert_close("3 loss", &thrice, &scaled, 3.0 / 33.0);
}

#[test]
fn mean_of_row_losses_is_the_mean() {
    let device = device();
    for shape in SHAPES {
        let Batch { logits, labels, .. } = Batch::new(shape, &device);
        let loss = CrossEntropyLossConfig::new().with_smoothing(Some(0.1)).init(&device);
        let [mean, dmean] = with_gradient(&logits, |x| loss.forward(x, labels.clone()), identity);
        let [rows, drows] =
            with_gradient(&logits, |x| loss.forward_no_reduction(x, labels.clone()), |rows| rows.mean());
        let mean_of_rows = rows.iter().sum::<f32>() / rows.len() as f32;
        assert_close("mean", &mean, &[mean_of_rows], LOSS);
        assert_close("gradient of the mean", &drows, &dmean, 1.0 / shape[0] as f32);
    }
}

#[test]
fn ignored_rows_have_no_loss_and_no_gradient() {
    let device = device();
    let Batch { logits, .. } = Batch::new([3, 5], &device);
    let labels = Tensor::<1, Int>::from_ints([4, 2, 4], &device);
    let loss = CrossEntropyLossConfig::new().with_pad_tokens(Some(vec![4])).init(&device);
    let [rows, drows] = with_gradient(&logits, |x| loss.forward_no_reduction(x, labels.clone()), |rows| rows.sum());
    assert_eq!([rows[0], rows[2]], [0.0; 2]);
    assert!(rows[1] > 0.0);
    assert_eq!((&drows[..5], &drows[10..]), (&[0.0; 5][..], &[0.0; 5][..]));
}

#[test]
fn labels_may_have_64_bits() {
    let device = device();
    let Batch { logits, labels, .. } = Batch::new([33, 10], &device);
    let loss = CrossEntropyLossConfig::new().init(&device);
    let wide = labels.clone().cast(DType::I64);
    let narrow = labels.cast(DType::I32);
    assert_eq!(numbers(loss.forward(logits.clone(), wide)), numbers(loss.forward(logits, narrow)));
}

#[test]
fn focal_without_focus_is_cross_entropy() {
    let device = device();
    let Batch { logits, labels, .. } = Batch::new([33, 10], &device);
    let focal = FocalLossConfig::new().with_gamma(0.0).init(&device);
    let cross_entropy = CrossEntropyLossConfig::new().init(&device);
    let focal = with_gradient(&logits, |x| focal.forward(x, labels.clone()), identity);
    assert_eq!(focal, with_gradient(&logits, |x| cross_entropy.forward(x, labels.clone()), identity));
}

#[test]
fn focal_is_that_of_burns_operations() {
    let device = device();
    for shape in SHAPES {
        let Batch { logits, labels, .. } = Batch::new(shape, &device);
        let alpha: Vec<f32> = (0..shape[1]).map(|class| 0.25 + (class % 3) as f32 / 4.0).collect();
        let at = |values: Tensor<2>| values.gather(1, labels.clone().unsqueeze_dim(1)).squeeze_dim::<1>(1);
        let composed = |logits: Tensor<2>| {
            let log_p = at(activation::log_softmax(logits, 1));
            let alpha_t = Tensor::<1>::from_floats(alpha.as_slice(), &device).gather(0, labels.clone());
            -(alpha_t * (-log_p.clone().exp() + 1.0).powi_scalar(2) * log_p)
        };
        let fused = FocalLossConfig::new().with_alpha(Some(alpha.clone())).init(&device);
        let [ours, dours] = with_gradient(&logits, |x| fused.forward(x, labels.clone()), identity);
        let [theirs, dtheirs] = with_gradient(&logits, |x| composed(x).mean(), identity);
        assert_close("focal", &ours, &theirs, LOSS);
        // 2 q p_t lp_t beside q^2: three more terms of the loss's size.
        assert_close("focal's gradient", &dours, &dtheirs, 4.0 / shape[0] as f32);
        let [ours, _] = with_gradient(&logits, |x| fused.forward_no_reduction(x, labels.clone()), |rows| rows.sum());
        let [theirs, _] = with_gradient(&logits, composed, |rows| rows.sum());
        assert_close("focal's rows", &ours, &theirs, LOSS);
    }
}

#[test]
fn kl_divergence_is_burns() {
    let device = device();
    for shape @ [n_rows, n_classes] in SHAPES {
        let Batch { logits, other, .. } = Batch::new(shape, &device);
        for (log_target, from_logits) in [(false, false), (false, true), (true, false), (true, true)] {
            let log_p = activation::log_softmax(other.clone(), 1);
            let targets = if log_target { log_p } else { log_p.exp() };
            let composed = loss::KLDivLossConfig::new().with_log_target(log_target).init();
            let fused = KLDivLossConfig::new().with_log_target(log_target).with_logits(from_logits).init();
            let predictions = if from_logits { logits.clone() } else { activation::log_softmax(logits.clone(), 1) };
            let log_q = |x: Tensor<2>| if from_logits { activation::log_softmax(x, 1) } else { x };
            let what = format!("{shape:?}, log_target {log_target}, from logits {from_logits}");

            let reductions = [
                (Reduction::BatchMean, n_rows),
                (Reduction::Auto, n_rows),
                (Reduction::Mean, n_rows * n_classes),
                (Reduction::Sum, 1),
            ];
            for (reduction, divisor) in reductions {
                let ours = |x| fused.forward(x, targets.clone(), reduction.clone());
                let theirs = |x| composed.forward(log_q(x), targets.clone(), reduction.clone());
                let [ours, dours] = with_gradient(&predictions, ours, identity);
                let [theirs, dtheirs] = with_gradient(&predictions, theirs, identity);
                // The terms of a row add up to at most LOSS, rounded or not.
                assert_close(&what, &ours, &theirs, LOSS * n_rows as f32 / divisor as f32);
                assert_close(&what, &dours, &dtheirs, 1.0 / divisor as f32);
            }
            let ours = |x| fused.forward_no_reduction(x, targets.clone());
            let theirs = |x| composed.forward_no_reduction(log_q(x), targets.clone());
            let weigh = |losses: Tensor<2>| (losses * other.clone()).sum();
            let [ours, dours] = with_gradient(&predictions, ours, weigh);
            let [theirs, dtheirs] = with_gradient(&predictions, theirs, weigh);
            assert_close(&what, &ours, &theirs, LOSS);
            // Upstream gradients are at most 4.
            assert_close(&what, &dours, &dtheirs, 4.0);
        }
    }
}

#[test]
fn binary_cross_entropy_is_burns() {
    let device = device();
    for shape @ [n_rows, n_classes] in SHAPES {
        let Batch { logits, bits, .. } = Batch::new(shape, &device);
        let weights: Vec<f32> = (0..n_classes).map(|class| 0.5 + (class % 4) as f32 / 2.0).collect();
        for (from_logits, smoothing, weights) in [
            (true, None, None),
            (true, Some(0.1), None),
            (true, None, Some(weights.clone())),
            (false, None, None),
            (false, Some(0.2), Some(weights)),
        ] {
            let what = format!("{shape:?}, from logits {from_logits}, smoothing {smoothing:?}, {weights:?}");
            let inputs = if from_logits { logits.clone() } else { activation::sigmoid(logits.clone()) };
            let config = BinaryCrossEntropyLossConfig::new().with_logits(from_logits).with_smoothing(smoothing);
            let fused = config.with_weights(weights.clone()).init(&device);
            let config = loss::BinaryCrossEntropyLossConfig::new().with_logits(from_logits).with_smoothing(smoothing);
            let composed = config.with_weights(weights).init(&device);
            let [ours, dours] = with_gradient(&inputs, |x| fused.forward(x, bits.clone()), identity);
            let [theirs, dtheirs] = with_gradient(&inputs, |x| composed.forward(x, bits.clone()), identity);
            // Weights are at most 2; 1 / (p (1-p)) is at most 57 for logits in [-4, 4).
            assert_close(&what, &ours, &theirs, 2.0 * LOSS);
            assert_close(&what, &dours, &dtheirs, 2.0 * 57.0 / (n_rows * n_classes) as f32);
        }
    }
}

#[test]
fn binary_cross_entropy_weighs_the_two_labels_of_a_vector() {
    let device = device();
    let Batch { logits, bits, .. } = Batch::new([1, 257], &device);
    let (logits, bits) = (logits.reshape([257]), bits.reshape([257]));
    let weights = Some(vec![0.5, 2.0]);
    let fused = BinaryCrossEntropyLossConfig::new().with_logits(true).with_weights(weights.clone()).init(&device);
    let composed = loss::BinaryCrossEntropyLossConfig::new().with_logits(true).with_weights(weights).init(&device);
    let [ours, dours] = with_gradient(&logits, |x| fused.forward(x, bits.clone()), identity);
    let [theirs, dtheirs] = with_gradient(&logits, |x| composed.forward(x, bits.clone()), identity);
    assert_close("weighted labels", &ours, &theirs, 2.0 * LOSS);
    assert_close("weighted labels", &dours, &dtheirs, 2.0 / 257.0);
}

#[test]
#[should_panic(expected = "found targets of shape [3], expected [4], one class index per row of the logits [4, 5]")]
fn a_target_is_missing() {
    let device = registered();
    let (logits, targets) = (Tensor::<2>::zeros([4, 5], &device), Tensor::<1, Int>::zeros([3], &device));
    CrossEntropyLossConfig::new().init(&device).forward(logits, targets);
}
