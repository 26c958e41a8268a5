//! The online softmax of one row (Milakov & Gimelshein 2018), in a form that loses nothing near p = 1:
//!
//!     m = max x_c,    D = sum of exp((x_c - m)/T) over all classes but one that attains m,    d = 1 + D
//!
//! so log d = log1p(D), and for a class that attains m, 1 - p = D/d without cancellation. A logit of -inf (a mask) adds
//! nothing. D = -1 says that no logit has been seen.
//!
//! With a soft cap every x above is u = cap tanh(x/cap), which rises with x: m is kept as the logit itself, so that who
//! attains it is an exact comparison.

struct Softmax {
    m: f32,
    D: f32,
}

const NO_LOGITS: Softmax = Softmax(LOWEST, -1f);

/// A logit as it is computed with; masks become the lowest number and are left out of every sum.
fn logit_of(bits: u32) -> f32 {
    return select(bitcast<f32>(bits), LOWEST, bits == NEG_INF);
}

/// cap tanh(x/cap), or x without a cap.
fn capped(x: f32) -> f32 {
    if (SOFTCAP) {
        return params.softcap * tanh32(x * params.inv_softcap);
    }
    return x;
}

/// du/dx = sech^2(x/cap) of a logit; nothing flows to a mask.
fn cap_slope(bits: u32) -> f32 {
    if (SOFTCAP) {
        return select(sech2(bitcast<f32>(bits) * params.inv_softcap), 0f, bits == NEG_INF);
    }
    return 1f;
}

/// A difference of logits over T.
fn scaled(difference: f32) -> f32 {
    if (TEMPERATURE) {
        return difference * params.inv_temperature;
    }
    return difference;
}

/// (x - m)/T.
fn logit_difference(x: f32, m: f32) -> f32 {
    return scaled(capped(x) - capped(m));
}

/// exp((x - m)/T) for x <= m, scaled after the subtraction.
fn exp_shifted(x: f32, m: f32) -> f32 {
    return exp_nonpositive(scaled(opaque(capped(x) - capped(m))));
}

/// A state after one more logit, and what other sums over exp((x_c - m)/T) need to follow it.
struct Step {
    softmax: Softmax,
    /// The factor on everything summed about the maximum before.
    kept: f32,
    /// exp((x - m)/T) of this logit.
    term: f32,
}

fn step_softmax(s: Softmax, bits: u32) -> Step {
    let x = logit_of(bits);
    let above = x > s.m;
    let e = exp_shifted(min(x, s.m), max(x, s.m));
    let below = select(e, 0f, bits == NEG_INF);
    let D = select(s.D + below, (1f + s.D) * e, above);
    return Step(Softmax(max(x, s.m), D), select(1f, e, above), select(below, 1f, above));
}

/// Two states as one, and the factors on what was summed about either maximum.
struct Join {
    softmax: Softmax,
    a: f32,
    b: f32,
}

fn join_softmax(a: Softmax, b: Softmax) -> Join {
    let above = b.m > a.m;
    let e = exp_shifted(min(a.m, b.m), max(a.m, b.m));
    let low = select(b.D, a.D, above);
    let high = select(a.D, b.D, above);
    return Join(Softmax(max(a.m, b.m), high + (1f + low) * e), select(1f, e, above), select(e, 1f, above));
}

fn log_d(s: Softmax) -> f32 {
    return log1p32(s.D);
}

/// p = exp((x - m)/T) / d, given 1/d.
fn probability(s: Softmax, bits: u32, inv_d: f32) -> f32 {
    return select(exp_shifted(bitcast<f32>(bits), s.m) * inv_d, 0f, bits == NEG_INF);
}

/// (x - m)/T; the lowest number stands for a mask's -inf, which no cap raises.
fn shifted_logit(s: Softmax, bits: u32) -> f32 {
    var difference = scaled(opaque(capped(logit_of(bits)) - capped(s.m)));
    if (TEMPERATURE) {
        // T < 1 would take the lowest logits beyond f32.
        difference = max(difference, LOWEST);
    }
    if (SOFTCAP) {
        return select(difference, LOWEST, bits == NEG_INF);
    }
    return difference;
}

/// log sum_c exp(x_c/T).
fn log_sum_exp(s: Softmax) -> f32 {
    return scaled(capped(s.m)) + log_d(s);
}
