//! The bits of one element to BUFFER.

fn store_single_SLOT(i: u32, bits: u32) {
    BUFFER[i] = bits;
}
