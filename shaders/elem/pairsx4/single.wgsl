//! The bits of one element of SLOT.

fn SLOT_bits(i: u32) -> u32 {
    return u32(SLOT[i / 4u][i % 4u / 2u] >> (i % 2u * 32u));
}
