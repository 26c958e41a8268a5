//! Four elements from position i of SLOT by 64-bit loads: rows, strides and positions are multiples of four elements,
//! of two where those are f32.

fn load_SLOT(i: u32, left: u32, fill: u32) -> vec4<u32> {
    if (SLOT_storage == F32) {
        return vec4<u32>(SLOT[i / 2u], SLOT[i / 2u + 1u]);
    }
    return widened(unpacked(SLOT[i / 4u]), SLOT_storage);
}
