//! The only code that speaks to wgpu.

mod adapter;
mod bind;
mod buffers;
mod caps;
mod description;
mod engine;
mod guard;
mod memo;
mod pending;
mod pipeline;
mod pool;
mod runs;
mod scratch;
mod slices;
#[cfg(not(target_arch = "wasm32"))]
mod tune;
mod tuned;

pub use bind::{Bound, Plan};
pub use buffers::Buffers;
pub use description::{Description, DispatchDescription};
pub use engine::{GpuEngine, Options};
pub use pending::Pending;
#[cfg(not(target_arch = "wasm32"))]
pub use tune::Tuning;
