//! Gradients only.

fn write_values4(place: Place, j: u32, left: u32, row: Row, e: array<Element, 4>) {}
