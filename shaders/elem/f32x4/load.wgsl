//! Four elements from position i of SLOT in one 128-bit load: rows, strides and positions are multiples of four.

fn load_SLOT(i: u32, left: u32, fill: u32) -> vec4<u32> {
    return SLOT[i / 4u];
}
