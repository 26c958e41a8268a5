//! One binary; modules mirror src.

mod bind;
mod losses;
mod properties;
mod record;
mod reference;
mod shaders;
mod storage;
mod support;
mod validate;
mod windows;
