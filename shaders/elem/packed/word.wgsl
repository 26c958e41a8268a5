//! A word of SLOT that only this binding reads or writes.

fn word_SLOT(i: u32) -> u32 {
    return SLOT[i];
}
