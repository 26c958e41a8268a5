//! A top-k teacher has probabilities.

/// A mass from its bits, raised to the normal numbers; one that is negative, NaN or infinite has no value.
fn mass_of(bits: u32) -> Mass {
    let bad = (bits << 1u) >= 0xff000000u || bits > 0x80000000u;
    let is_subnormal = bits - 1u < 0x007fffffu;
    let p = bitcast<f32>(select(bits & 0x7fffffffu, 0x00800000u, is_subnormal));
    return Mass(select(p, 0f, bad), 0f, 0f, 0u, select(0u, HAS_NAN, bad));
}
