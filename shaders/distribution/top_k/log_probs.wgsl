//! A top-k teacher has log-probabilities.

/// A mass from the bits of its logarithm; NaN and +infinity have no value.
fn mass_of(bits: u32) -> Total {
    let bad = is_bad(bits);
    return Total(select(exp32(max(logit_of(bits), -87f)), 0f, bad || bits == NEG_INF), select(0u, HAS_NAN, bad));
}
