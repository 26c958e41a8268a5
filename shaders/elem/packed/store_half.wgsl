//! Half a word of BUFFER, the other half left as it is.

/// Nobody else writes this half, so it is still what was read when it changes.
fn store_half_SLOT(i: u32, shift: u32, half: u32) {
    let old = (atomicLoad(&BUFFER[i]) >> shift) & 0xffffu;
    atomicXor(&BUFFER[i], (old ^ half) << shift);
}
