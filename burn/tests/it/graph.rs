//! A loss amid burn's own work: what comes before it, after it, and beside it.

use burn::nn::loss;
use burn::tensor::{Device, Int, Tensor};
use surprisal_burn::CrossEntropyLossConfig;

use crate::registered::registered;
use crate::support::{Batch, assert_close, numbers, with_gradient};

#[test]
fn untracked_losses_are_the_same() {
    let (plain, tracking) = (registered(), registered().autodiff());
    let of = |device: &Device| {
        let Batch { logits, labels, .. } = Batch::new([33, 10], device);
        (CrossEntropyLossConfig::new().init(device), logits, labels)
    };
    let (loss, logits, labels) = of(&plain);
    let on_a_device_without_autodiff = numbers(loss.forward(logits, labels));
    let (loss, logits, labels) = of(&tracking);
    let of_constants = loss.forward(logits.clone(), labels.clone());
    assert!(!of_constants.is_require_grad());
    assert_eq!(numbers(of_constants), on_a_device_without_autodiff);
    let [tracked, _] = with_gradient(&logits, |x| loss.forward(x, labels), |loss| loss);
    assert_eq!(tracked, on_a_device_without_autodiff);
}

/// Transposed, strided and shifted logits, labels that start amid a buffer, and an upstream gradient that was expanded.
#[test]
fn views_are_read_as_what_they_show() {
    let device = registered().autodiff();
    let Batch { logits, .. } = Batch::new([40, 30], &device);
    let labels = Batch::new([64, 20], &device).labels;
    let (fused, composed) =
        (CrossEntropyLossConfig::new().init(&device), loss::CrossEntropyLossConfig::new().init(&device));
    // [20, 27] of [30, 40]
    let view = |x: Tensor<2>| x.transpose().slice([3..30, 11..31]);
    let labels = labels.slice(5..32);
    let [ours, dours] = with_gradient(&logits, |x| fused.forward_no_reduction(view(x), labels.clone()), Tensor::mean);
    let [theirs, dtheirs] = with_gradient(&logits, |x| composed.forward(view(x), labels.clone()), |loss| loss);
    assert_close("a view's loss", &[ours.iter().sum::<f32>() / 27.0], &theirs, 16.0);
    assert_close("a view's gradient", &dours, &dtheirs, 1.0 / 27.0);
}

/// Fifty steps of descent without waiting for any are those that are waited for, to the bit, and burn's own: a kernel out
/// of its turn would read another step's numbers.
#[test]
fn steps_follow_one_another() {
    let device = registered().autodiff();
    let Batch { logits, labels, other, .. } = Batch::new([33, 10], &device);
    let descend = |loss: &dyn Fn(Tensor<2>) -> Tensor<1>, waits: bool| {
        let mut weights = other.clone().slice([0..10, 0..10]);
        let mut losses = Vec::new();
        for _ in 0..50 {
            weights = weights.detach().require_grad();
            let step = loss(logits.clone().matmul(weights.clone()) / 10.0);
            let gradients = step.backward();
            weights = weights.clone() - weights.grad(&gradients).map(Tensor::from_inner).expect("it requires one");
            losses.push(step);
            if waits {
                device.sync().expect("the device is not lost");
            }
        }
        numbers(Tensor::cat(losses, 0))
    };
    let (fused, composed) =
        (CrossEntropyLossConfig::new().init(&device), loss::CrossEntropyLossConfig::new().init(&device));
    let ours = |waits| descend(&|x| fused.forward(x, labels.clone()), waits);
    let theirs = descend(&|x| composed.forward(x, labels.clone()), true);
    let (ours, ours_in_turn) = (ours(false), ours(true));
    assert_eq!(ours, ours_in_turn);
    assert!(ours[49] < 0.8 * ours[0], "{ours:?}");
    // Each step adds its own rounding, and descent on a convex loss does not amplify it.
    assert_close("descent", &ours, &theirs, 16.0 * 50.0);
}

/// Tensors of other threads are on other streams, whose work waits in encoders of its own.
#[test]
fn tensors_come_from_other_threads() {
    let device = registered();
    let loss = CrossEntropyLossConfig::new().init(&device);
    for round in 0..20 {
        let make = |device: Device| {
            let Batch { logits, labels, .. } = Batch::new([33, 10], &device);
            (logits * (1.0 + round as f32 / 20.0) + 1.0, labels)
        };
        let (logits, labels): (Tensor<2>, Tensor<1, Int>) = {
            let device = device.clone();
            std::thread::scope(|scope| scope.spawn(|| make(device)).join().expect("it does not panic"))
        };
        let theirs = numbers(loss.forward(logits, labels));
        let (logits, labels) = make(device.clone());
        assert_eq!(theirs, numbers(loss.forward(logits, labels)), "round {round}");
    }
}
