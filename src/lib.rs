#![doc = include_str!("../README.md")]

mod engine;
mod error;
mod gpu;
mod inputs;
pub mod kernel;
mod loss;
mod params;
mod plan;
pub mod reference;
mod shape;
mod validate;

pub use engine::{Backend, Engine};
pub use error::Error;
pub use gpu::{Bound, Buffers, GpuEngine, Options, Pending, Plan};
pub use inputs::{Broadcast, Inputs, Output, Targets};
pub use loss::{
    BinaryCrossEntropy, CrossEntropy, Divergence, Entropy, Family, Form, Gradients, JensenShannon, Jsd, Kl,
    KlDivergence, Loss, Pass, PerClass, Reduction, ReverseKl, ReverseKlDivergence, SigmoidFocal, SoftCrossEntropy,
    SoftmaxFocal, Terms, TotalVariation, Tv,
};
#[doc(hidden)] // for the test that compares it with the shaders
pub use params::Params;
pub use shape::Shape;
pub use validate::Problem;
pub use wgpu;
