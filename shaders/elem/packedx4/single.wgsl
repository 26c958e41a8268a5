//! The bits of one element of SLOT.

fn SLOT_bits(i: u32) -> u32 {
    if (SLOT_storage == F32) {
        return SLOT[i / 2u][i % 2u];
    }
    return widened(unpacked(SLOT[i / 4u]), SLOT_storage)[i % 4u];
}
