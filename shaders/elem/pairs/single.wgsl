//! The bits of one element of SLOT.

fn SLOT_bits(i: u32) -> u32 {
    let pair = SLOT[i / 2u];
    return select(u32(pair), u32(pair >> 32u), i % 2u == 1u);
}
