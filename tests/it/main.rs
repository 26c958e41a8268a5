//! One binary; modules mirror src.

mod losses;
mod reference;
mod support;
mod validate;
