//! Four elements from position i of SLOT in two 64-bit words: rows, strides and positions are multiples of four.

fn load_SLOT(i: u32, left: u32, fill: u32) -> vec4<u32> {
    let pairs = SLOT[i / 4u];
    return vec4<u32>(u32(pairs.x), u32(pairs.x >> 32u), u32(pairs.y), u32(pairs.y >> 32u));
}
