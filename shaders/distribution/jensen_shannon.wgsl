//! Jensen-Shannon divergence (Lin 1991): beta KL(P||M) + (1-beta) KL(Q||M), M = beta P + (1-beta) Q. loss_args holds
//! beta and 1-beta. The gaps' b - a add up to 0 class by class.

fn divergence(c: Class) -> f32 {
    let beta = params.loss_args.xy;
    let m = beta.x * c.p + beta.y * c.q;
    let to_p = log_mixture(beta.x, beta.y, c.log_q - c.log_p);
    let to_q = log_mixture(beta.y, beta.x, c.log_p - c.log_q);
    return times(beta.x, gap(c.p, m, to_p)) + times(beta.y, gap(c.q, m, to_q));
}

/// (1-beta) q log(q/M).
fn slope(c: Class) -> f32 {
    let beta = params.loss_args.xy;
    return -times(beta.y * c.q, log_mixture(beta.y, beta.x, c.log_p - c.log_q));
}

/// log((own a + other b)/a) from u = log(b/a), own + other = 1: straight from e^u - 1 while that is small or added to.
/// Beyond 87 either e^-u or a itself is 0.
fn log_mixture(own: f32, other: f32, u: f32) -> f32 {
    let v = clamp(u, -87f, 87f);
    let x = other * expm1_32(v);
    if (x < -0.25f) {
        return log32(own + other * exp32(v));
    }
    return log1p32(x);
}
