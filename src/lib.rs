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
mod storage;
mod validate;

pub use engine::{Backend, Engine};
pub use error::Error;
pub use gpu::{Bound, Buffers, GpuEngine, Options, Pending, Plan};
pub use half;
pub use inputs::{Broadcast, Inputs, Labels, Numbers, Output, Targets};
pub use loss::{
    BinaryCrossEntropy, CrossEntropy, Entropy, Family, Form, KlDivergence, Loss, Pass, PerClass, Reduction,
    SigmoidFocal, SoftCrossEntropy, SoftmaxFocal,
};
#[doc(hidden)] // for the test that compares it with the shaders
pub use params::Params;
pub use shape::Shape;
pub use storage::{LabelStorage, Storage};
pub use validate::Problem;
pub use wgpu;
