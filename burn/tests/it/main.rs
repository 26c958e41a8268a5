//! Tests of devices that have an engine, in one process.

mod flex;
mod graph;
mod losses;
mod registered;
#[path = "../support/mod.rs"]
mod support;
