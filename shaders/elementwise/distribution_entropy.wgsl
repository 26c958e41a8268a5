//! Entropy of a given distribution: -p log p, 0 where p = 0.

fn loss(e: Element) -> f32 {
    let p = logit(e);
    return -times(p, log32(p));
}

/// -(log p + 1): infinite where p = 0.
fn dloss_dx(e: Element) -> f32 {
    let p = logit(e);
    return select(-(log32(p) + 1f), 1f, p == 0f);
}

fn is_undefined(e: Element) -> bool {
    return e.x > 0x80000000u;
}

fn slope_is_infinite(e: Element) -> bool {
    return (e.x << 1u) == 0u;
}
