//! Four elements to position i of BUFFER in one 128-bit store: rows, strides and positions are multiples of four.

fn store_SLOT(i: u32, left: u32, value: vec4<u32>) {
    BUFFER[i / 4u] = value;
}
