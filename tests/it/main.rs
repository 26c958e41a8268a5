//! One binary; modules mirror src.

mod bind;
mod class_windows;
mod cover;
mod cpu;
mod losses;
mod options;
mod planes;
mod properties;
mod record;
mod reference;
mod runs;
mod shaders;
mod storage;
mod suites;
mod support;
mod validate;
mod windows;
