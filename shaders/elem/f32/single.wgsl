//! The bits of one element of SLOT.

fn SLOT_bits(i: u32) -> u32 {
    return SLOT[i];
}
