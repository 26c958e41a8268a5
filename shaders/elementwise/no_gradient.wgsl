//! Values only.

fn write_dlogits4(place: Place, j: u32, left: u32, e: array<Element, 4>) {}
