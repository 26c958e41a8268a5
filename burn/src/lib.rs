#![doc = include_str!("../README.md")]

mod autodiff;
mod binary_cross_entropy;
mod call;
mod class_index;
mod cross_entropy;
mod cube;
mod flex;
mod focal;
#[cfg(feature = "fusion")]
mod fusion;
mod kl_divergence;
mod ops;
mod registry;
mod targets;

pub use binary_cross_entropy::{BinaryCrossEntropyLoss, BinaryCrossEntropyLossConfig};
pub use cross_entropy::{CrossEntropyLoss, CrossEntropyLossConfig};
pub use focal::{FocalLoss, FocalLossConfig};
pub use kl_divergence::{KLDivLoss, KLDivLossConfig};
pub use registry::register;
pub use surprisal;
