//! Four elements to position i of BUFFER by 64-bit stores: rows, strides and positions are multiples of four elements,
//! of two where those are f32. No word holds another row's elements.

fn store_SLOT(i: u32, left: u32, value: vec4<u32>) {
    if (BUFFER_storage == F32) {
        BUFFER[i / 2u] = value.xy;
        BUFFER[i / 2u + 1u] = value.zw;
        return;
    }
    BUFFER[i / 4u] = packed(narrowed(value, BUFFER_storage));
}
