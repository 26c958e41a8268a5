//! Entropy of a given distribution: -p log p, 0 where p = 0.

fn loss(e: Element) -> f32 {
    return -times(logit(e), log_of_bits(e.x));
}

/// -(log p + 1): infinite where p is 0 or infinite.
fn dloss_dx(e: Element) -> f32 {
    return select(-(log_of_bits(e.x) + 1f), 1f, (e.x << 1u) == 0u);
}

fn is_undefined(e: Element) -> bool {
    return e.x > 0x80000000u;
}

fn slope_is_infinite(e: Element) -> bool {
    return (e.x << 1u) == 0u || is_infinite(e.x);
}
