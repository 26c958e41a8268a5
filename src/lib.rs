#![doc = include_str!("../README.md")]

mod cpu;
mod engine;
mod error;
mod gpu;
mod inputs;
pub mod kernel;
mod loss;
mod number;
#[doc = include_str!("../OPTIONS.md")]
pub mod options {}
mod params;
mod plan;
mod policy;
pub mod reference;
mod shape;
mod side;
mod span;
mod storage;
mod validate;

pub use engine::{Backend, Engine};
pub use error::Error;
#[cfg(not(target_arch = "wasm32"))]
pub use gpu::Tuning;
pub use gpu::{Bound, Buffers, Description, DispatchDescription, GpuEngine, Options, Pending, Plan};
pub use half;
pub use inputs::{Broadcast, Inputs, Labels, Numbers, Output, Targets};
pub use loss::{
    BinaryCrossEntropy, CrossEntropy, Distillation, Divergence, Entropy, Family, Form, Gradients, HardPart,
    JensenShannon, Jsd, Kl, KlDivergence, Loss, NegativeLogLikelihood, Pass, PerClass, Reduction, Rest, ReverseKl,
    ReverseKlDivergence, RowOptions, RowWeights, SigmoidFocal, Smoothing, SoftCrossEntropy, SoftPart, SoftmaxFocal,
    Support, TargetKind, Terms, TopK, TotalVariation, Tv,
};
#[doc(hidden)] // for the test that compares it with the shaders
pub use params::Params;
pub use policy::{Corners, EmptyMean, Policy};
pub use shape::Shape;
pub use side::{Side, SideOutputs};
pub use storage::{LabelStorage, Storage};
pub use validate::Problem;
pub use wgpu;
