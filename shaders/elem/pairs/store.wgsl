//! Four elements to position i of BUFFER in words of 64 bits, of which `left`, a multiple of two, exist. Rows, strides
//! and positions are multiples of two.

fn store_SLOT(i: u32, left: u32, value: vec4<u32>) {
    BUFFER[i / 2u] = u64(value.x) | (u64(value.y) << 32u);
    if (left > 2u) {
        BUFFER[i / 2u + 1u] = u64(value.z) | (u64(value.w) << 32u);
    }
}
