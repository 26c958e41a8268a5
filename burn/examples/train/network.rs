//! What is trained: a hidden layer between pixels and logits.

use burn::module::Module;
use burn::nn::{Linear, LinearConfig, loss};
use burn::tensor::{Device, Int, Tensor, activation::relu};
use surprisal_burn::{CrossEntropyLoss, CrossEntropyLossConfig};

use crate::digits::{N_CLASSES, N_PIXELS};

const N_HIDDEN: usize = 128;

#[derive(Module, Debug)]
pub struct Network {
    hidden: Linear,
    logits: Linear,
}

impl Network {
    pub fn new(device: &Device) -> Network {
        Network {
            hidden: LinearConfig::new(N_PIXELS, N_HIDDEN).init(device),
            logits: LinearConfig::new(N_HIDDEN, N_CLASSES).init(device),
        }
    }

    /// Pixels `[n, N_PIXELS]` to logits `[n, N_CLASSES]`.
    pub fn forward(&self, pixels: Tensor<2>) -> Tensor<2> {
        self.logits.forward(relu(self.hidden.forward(pixels)))
    }
}

/// What it is trained with.
pub enum Loss {
    Burn(loss::CrossEntropyLoss),
    Surprisal(CrossEntropyLoss),
}

impl Loss {
    pub const NAMES: [&str; 2] = ["burn", "surprisal"];

    pub fn named(name: &str, device: &Device) -> Option<Loss> {
        match name {
            "burn" => Some(Loss::Burn(loss::CrossEntropyLossConfig::new().init(device))),
            "surprisal" => Some(Loss::Surprisal(CrossEntropyLossConfig::new().init(device))),
            _ => None,
        }
    }

    pub fn forward(&self, logits: Tensor<2>, labels: Tensor<1, Int>) -> Tensor<1> {
        match self {
            Loss::Burn(loss) => loss.forward(logits, labels),
            Loss::Surprisal(loss) => loss.forward(logits, labels),
        }
    }
}
