//! The only code that speaks to wgpu.

mod adapter;
mod bind;
mod buffers;
mod caps;
mod engine;
mod guard;
mod memo;
mod pending;
mod pipeline;
mod pool;
mod runs;

pub use bind::{Bound, Plan};
pub use buffers::Buffers;
pub use engine::{GpuEngine, Options};
pub use pending::Pending;
