//! The bits of one element of SLOT.

fn SLOT_bits(i: u32) -> u32 {
    if (SLOT_storage == F32) {
        return word_SLOT(i);
    }
    let half = (word_SLOT(i / 2u) >> (16u * (i % 2u))) & 0xffffu;
    return widened(vec4<u32>(half), SLOT_storage).x;
}
