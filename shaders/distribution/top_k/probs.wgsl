//! A top-k teacher has probabilities.

/// A mass from its bits; one that is negative, NaN or infinite has no value.
fn mass_of(bits: u32) -> Total {
    let bad = (bits << 1u) >= 0xff000000u || bits > 0x80000000u;
    return Total(select(bitcast<f32>(bits), 0f, bad), select(0u, HAS_NAN, bad));
}
