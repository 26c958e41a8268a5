//! A top-k teacher has log-probabilities.

/// A mass from the bits of its logarithm, raised to e^-87; NaN and +infinity have no value.
fn mass_of(bits: u32) -> Mass {
    let bad = is_bad(bits);
    let p = select(exp32(max(logit_of(bits), LOWEST_LOG_MASS)), 0f, bad || bits == NEG_INF);
    return Mass(p, 0f, 0f, 0u, select(0u, HAS_NAN, bad));
}

const LOWEST_LOG_MASS: f32 = -87f;
