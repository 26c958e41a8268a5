//! Binary cross-entropy of a probability p: -y max(log p, -100) - (1-y) max(log(1-p), -100), with the clamps of
//! PyTorch.

/// The lowest logarithm, and the least p (1-p) to divide by.
const LOWEST_LOG: f32 = -100f;
const LEAST_VARIANCE: f32 = 1e-12f;

/// p, and 0 for -0.
fn probability_of(e: Element) -> f32 {
    return bitcast<f32>(e.x & 0x7fffffffu);
}

fn loss(e: Element) -> f32 {
    let p = probability_of(e);
    let y = bitcast<f32>(e.y);
    return -y * max(log_of_bits(bitcast<u32>(p)), LOWEST_LOG) - (1f - y) * max(log_1m(p), LOWEST_LOG);
}

/// log(1-p): below 1/4 straight from p, which 1-p would round away.
fn log_1m(p: f32) -> f32 {
    if (p < 0.25f) {
        return log1p32(-p);
    }
    return log_of_bits(bitcast<u32>(1f - p));
}

/// (p - y) / (p (1-p)).
fn dloss_dx(e: Element) -> f32 {
    let p = probability_of(e);
    return (p - bitcast<f32>(e.y)) / max(p * (1f - p), LEAST_VARIANCE);
}

fn is_undefined(e: Element) -> bool {
    return is_no_probability(e.x);
}

fn slope_is_infinite(e: Element) -> bool {
    return false;
}
