//! Four elements to position i of BUFFER in two 64-bit words: rows, strides and positions are multiples of four.

fn store_SLOT(i: u32, left: u32, value: vec4<u32>) {
    let low = vec2<u64>(u64(value.x), u64(value.z));
    let high = vec2<u64>(u64(value.y), u64(value.w));
    BUFFER[i / 4u] = low | (high << vec2<u32>(32u));
}
