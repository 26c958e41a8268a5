//! What tests share: a nameable [`Case`](case::Case), a list of them, random tensors, engines, comparisons that report.

pub mod bare;
pub mod bits;
pub mod case;
pub mod cases;
pub mod compare;
pub mod device;
pub mod losses;
pub mod planes;
pub mod random;
pub mod shader;
pub mod spec;
pub mod staged;
pub mod stored;
