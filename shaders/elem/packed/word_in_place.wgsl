//! A word of SLOT that a gradient in place may be changing, this lane's half of it excepted.

fn word_SLOT(i: u32) -> u32 {
    return atomicLoad(&SLOT[i]);
}
