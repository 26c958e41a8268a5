//! The gradient has a slice of its own: nothing to wait for.

fn before_overwriting() {}
