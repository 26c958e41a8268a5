//! Values only.

fn write_dlogits4(row: u32, j: u32, left: u32, e: array<Element, 4>) {}
