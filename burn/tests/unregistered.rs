//! A wgpu device that nobody has registered, in a process of its own.

mod support;

use std::sync::Mutex;

use burn::nn::loss;
use burn::tensor::{Device, Tensor};
use surprisal_burn::{BinaryCrossEntropyLossConfig, CrossEntropyLossConfig, FocalLossConfig, KLDivLossConfig};

use support::{Batch, assert_close, kind, numbers, with_gradient};

/// Keeps what this package says.
struct Said(Mutex<Vec<String>>);

static SAID: Said = Said(Mutex::new(Vec::new()));

impl log::Log for Said {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target().starts_with("surprisal_burn")
    }
    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.lock().unwrap().push(record.args().to_string());
        }
    }
    fn flush(&self) {}
}

#[test]
fn burns_operations_compute_the_losses_and_one_line_says_so() {
    log::set_logger(&SAID).expect("nobody else has set one");
    log::set_max_level(log::LevelFilter::Warn);
    let device = Device::wgpu_options().device_kind(kind()).init().expect("README.md names an adapter").autodiff();
    let Batch { logits, labels, bits, other } = Batch::new([33, 10], &device);

    let weights: Vec<f32> = (0..10).map(|class| 0.5 + class as f32 / 10.0).collect();
    let config = CrossEntropyLossConfig::new().with_weights(Some(weights.clone())).with_smoothing(Some(0.1));
    let fallback = config.clone().with_pad_tokens(Some(vec![3])).init(&device);
    let config = loss::CrossEntropyLossConfig::new().with_weights(Some(weights)).with_smoothing(Some(0.1));
    let burns = config.with_pad_tokens(Some(vec![3])).init(&device);
    let ours = with_gradient(&logits, |x| fallback.forward(x, labels.clone()), |loss| loss);
    assert_eq!(ours, with_gradient(&logits, |x| burns.forward(x, labels.clone()), |loss| loss));

    // What burn has no loss for agrees with itself: rows with their mean, no focus with cross-entropy.
    let plain = CrossEntropyLossConfig::new().with_pad_tokens(Some(vec![3])).init(&device);
    let focal = FocalLossConfig::new().with_gamma(0.0).with_pad_tokens(Some(vec![3])).init(&device);
    let [mean, dmean] = with_gradient(&logits, |x| plain.forward(x, labels.clone()), |loss| loss);
    let [unfocused, dunfocused] = with_gradient(&logits, |x| focal.forward(x, labels.clone()), |loss| loss);
    assert_close("focal", &unfocused, &mean, 16.0);
    assert_close("focal's gradient", &dunfocused, &dmean, 1.0 / 33.0);
    let rows = numbers(plain.forward_no_reduction(logits.clone(), labels.clone()));
    let n_kept = rows.iter().filter(|&&row| row != 0.0).count();
    assert_close("rows", &[rows.iter().sum::<f32>() / n_kept as f32], &mean, 16.0);
    assert_close("focal's rows", &numbers(focal.forward_no_reduction(logits.clone(), labels)), &rows, 16.0);

    let probs = burn::tensor::activation::softmax(other, 1);
    let kl = KLDivLossConfig::new().with_logits(true).init();
    let elements = kl.forward_no_reduction(logits.clone(), probs.clone());
    let sum = kl.forward(logits.clone(), probs, loss::Reduction::Sum);
    assert_close("KL", &numbers(sum), &numbers(Tensor::sum(elements)), 16.0 * 33.0);

    let ours = BinaryCrossEntropyLossConfig::new().with_logits(true).init(&device);
    let burns = loss::BinaryCrossEntropyLossConfig::new().with_logits(true).init(&device);
    assert_eq!(numbers(ours.forward(logits.clone(), bits.clone())), numbers(burns.forward(logits, bits)));

    let said = SAID.0.lock().unwrap();
    assert!(matches!(said.as_slice(), [line] if line.contains("is not registered")), "{said:?}");
}
