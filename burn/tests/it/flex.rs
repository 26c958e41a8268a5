//! The Flex device: surprisal's CPU engine beside burn's own operations.

use burn::nn::loss::{self, Reduction};
use burn::tensor::{Device, Tensor, activation};
use surprisal_burn::{BinaryCrossEntropyLossConfig, CrossEntropyLossConfig, KLDivLossConfig};

use crate::support::{Batch, assert_close, numbers, with_gradient};

#[test]
fn losses_are_burns() {
    let device = Device::flex().autodiff();
    let Batch { logits, labels, bits, other } = Batch::new([33, 10], &device);
    let whole = |loss: Tensor<1>| loss;

    let fused = CrossEntropyLossConfig::new().with_pad_tokens(Some(vec![3])).init(&device);
    let composed = loss::CrossEntropyLossConfig::new().with_pad_tokens(Some(vec![3])).init(&device);
    let [ours, dours] = with_gradient(&logits, |x| fused.forward(x, labels.clone()), whole);
    let [theirs, dtheirs] = with_gradient(&logits, |x| composed.forward(x, labels.clone()), whole);
    assert_close("cross-entropy", &ours, &theirs, 16.0);
    assert_close("cross-entropy's gradient", &dours, &dtheirs, 1.0 / 33.0);

    let probs = activation::softmax(other, 1);
    let (fused, composed) = (KLDivLossConfig::new().init(), loss::KLDivLossConfig::new().init());
    let log_q = activation::log_softmax(logits.clone(), 1);
    let [ours, dours] = with_gradient(&log_q, |x| fused.forward(x, probs.clone(), Reduction::Mean), whole);
    let [theirs, dtheirs] = with_gradient(&log_q, |x| composed.forward(x, probs.clone(), Reduction::Mean), whole);
    assert_close("KL", &ours, &theirs, 16.0);
    assert_close("KL's gradient", &dours, &dtheirs, 1.0 / 330.0);

    let weights = Some(vec![0.5, 1.0, 1.5, 2.0, 0.5, 1.0, 1.5, 2.0, 0.5, 1.0]);
    let fused = BinaryCrossEntropyLossConfig::new().with_logits(true).with_weights(weights.clone()).init(&device);
    let composed = loss::BinaryCrossEntropyLossConfig::new().with_logits(true).with_weights(weights).init(&device);
    let [ours, dours] = with_gradient(&logits, |x| fused.forward(x, bits.clone()), whole);
    let [theirs, dtheirs] = with_gradient(&logits, |x| composed.forward(x, bits.clone()), whole);
    assert_close("binary cross-entropy", &ours, &theirs, 2.0 * 16.0);
    assert_close("binary cross-entropy's gradient", &dours, &dtheirs, 2.0 / 330.0);
}

#[test]
fn untracked_losses_are_the_same() {
    let device = Device::flex();
    let Batch { logits, labels, .. } = Batch::new([33, 10], &device);
    let loss = CrossEntropyLossConfig::new().init(&device);
    let rows = numbers(loss.forward_no_reduction(logits.clone().transpose().transpose(), labels.clone()));
    let mean = numbers(loss.forward(logits, labels));
    assert_close("mean of rows", &[rows.iter().sum::<f32>() / 33.0], &mean, 16.0);
}
