//! Total variation distance: 1/2 sum_c |p_c - q_c|.

fn divergence(c: Class) -> f32 {
    return 0.5f * abs(difference(c));
}

/// 1/2 sign(q - p) q, with sign 0 = 0.
fn slope(c: Class) -> f32 {
    return 0.5f * sign(difference(c)) * c.q;
}

/// q - p; where they are close p (e^u - 1), u = log(q/p), which keeps the difference's relative accuracy.
fn difference(c: Class) -> f32 {
    let u = c.log_q - c.log_p;
    let close = abs(u) < 0.25f && c.p > 0f;
    return select(c.q - c.p, c.p * expm1_32(u), close);
}
