//! exp, log, log1p and powers to a few units in the last place: WGSL's own promise far less (3 + 2|x| ULP for exp, an
//! absolute 2^-21 for log near 1). The logarithm's polynomial is that of FreeBSD's msun logf.

const LOG2_E: f32 = 1.44269504f;
const LN_2: f32 = 0.693147181f;

/// 1.5 x 2^23: a sum with it holds the other term, rounded to a whole number, in its low bits.
const ROUNDER: f32 = 12582912f;

/// e^(x - n log 2), n the whole number nearest to x / log 2, which is `rounded` less ROUNDER.
fn exp_fraction(x: f32, rounded: f32) -> f32 {
    let n = rounded - ROUNDER;
    // The product with the upper part of log 2 is exact for |n| < 2^15.
    let r = opaque(x - n * 0.693359375f) + n * 2.12194440e-4f;
    return expm1_per_x(r) * r + 1f;
}

/// (e^x - 1)/x = 1 + x/2 + ..., minimax: e^x has a relative error of 3e-9 on |x| <= log(2)/2.
fn expm1_per_x(x: f32) -> f32 {
    var y = 1.3814540512e-3f * x + 8.3687455412e-3f;
    y = y * x + 4.1668390810e-2f;
    y = y * x + 1.6666520395e-1f;
    y = y * x + 4.9999993432e-1f;
    return y * x + 1f;
}

/// e^x for x <= 0; 0 below -86.6, where the smallest normal numbers begin.
fn exp_nonpositive(x: f32) -> f32 {
    let rounded = opaque(x * LOG2_E + ROUNDER);
    let bits = bitcast<u32>(exp_fraction(x, rounded)) + (bitcast<u32>(rounded) << 23u);
    return select(bitcast<f32>(bits), 0f, x < -86.6f);
}

/// e^x 2^k for x in [-87, 88] and a whole k; 0 below the smallest normal number, infinity above the largest.
fn exp_scaled(x: f32, k: f32) -> f32 {
    let rounded = opaque(x * LOG2_E + ROUNDER);
    let e = rounded - ROUNDER + k;
    return select(exp_fraction(x, rounded) * bitcast<f32>(u32(i32(min(e, 128f)) + 127) << 23u), 0f, e < -126f);
}

fn exp32(x: f32) -> f32 {
    return exp_scaled(x, 0f);
}

/// e^x - 1 for x in [-87, 88], near 0 straight from x.
fn expm1_32(x: f32) -> f32 {
    return select(exp32(x) - 1f, expm1_per_x(x) * x, abs(x) < 0.34657359f);
}

/// x = 2^exponent (1 + fraction), sqrt(1/2) <= 1 + fraction < sqrt(2).
struct Split {
    exponent: f32,
    fraction: f32,
}

/// For normal x > 0.
fn split(x: f32) -> Split {
    let bits = bitcast<u32>(x) + (0x3f800000u - 0x3f3504f3u);
    let fraction = bitcast<f32>((bits & 0x007fffffu) + 0x3f3504f3u) - 1f;
    return Split(f32(i32(bits >> 23u) - 127), fraction);
}

/// log(1 + f) - f for sqrt(1/2) <= 1 + f < sqrt(2).
fn log_fraction_tail(f: f32) -> f32 {
    let s = f / (2f + f);
    let z = s * s;
    let w = z * z;
    let r = z * (0.66666662693f + w * 0.28498786688f) + w * (0.40000972152f + w * 0.24279078841f);
    let half_square = 0.5f * f * f;
    return s * (half_square + r) - half_square;
}

fn log_split(x: Split) -> f32 {
    let tail = log_fraction_tail(x.fraction) + x.exponent * 9.0580006145e-6f;
    return (tail + x.fraction) + x.exponent * 6.9313812256e-1f;
}

/// For normal x > 0; -infinity at 0 is the caller's to write.
fn log32(x: f32) -> f32 {
    return log_split(split(x));
}

/// log x of x > 0 as bits; below -100 at 0. A subnormal number is a whole number of 2^-149, which no device flushes.
fn log_of_bits(bits: u32) -> f32 {
    if (bits < 0x00800000u) {
        let parts = split(f32(bits));
        return log_split(Split(parts.exponent - 149f, parts.fraction));
    }
    return log32(bitcast<f32>(bits));
}

/// log(1 + x) for x >= sqrt(1/2) - 1: below sqrt(2) - 1 straight from x, which 1 + x would round away.
fn log1p32(x: f32) -> f32 {
    var parts = split(1f + x);
    if (x < 0.41421354f) {
        parts = Split(0f, x);
    }
    return log_split(parts);
}

/// x^y for 0 <= x <= 1 and y >= 0, with x^0 = 1. y_head holds y's leading 12 bits, so that y_head times the exponent of
/// x is exact, and only its fraction meets exp.
fn pow32(x: f32, y: f32, y_head: f32) -> f32 {
    if (y == 0f) {
        return 1f;
    }
    if (x <= 0f) {
        return 0f;
    }
    let parts = split(x);
    let log2_head = y_head * parts.exponent;
    let whole = round(log2_head);
    let tail = (y - y_head) * parts.exponent;
    let log_mantissa = parts.fraction + log_fraction_tail(parts.fraction);
    return exp_scaled(((log2_head - whole) + tail) * LN_2 + y * log_mantissa, whole);
}

/// tanh x: below 0.625 by the polynomial of Cephes' tanhf, above by exp(-2|x|), which then cancels nothing.
fn tanh32(x: f32) -> f32 {
    let z = x * x;
    var y = -5.70498872745e-3f * z + 2.06390887954e-2f;
    y = y * z - 5.37397155531e-2f;
    y = y * z + 1.33314422036e-1f;
    y = y * z - 3.33332819422e-1f;
    let e = exp_nonpositive(-2f * abs(x));
    let far = (1f - e) / (1f + e);
    return select(select(far, -far, x < 0f), y * z * x + x, abs(x) < 0.625f);
}

/// 1/cosh^2 x, without the cancellation of 1 - tanh^2 x.
fn sech2(x: f32) -> f32 {
    let e = exp_nonpositive(-2f * abs(x));
    return 4f * e / ((1f + e) * (1f + e));
}

/// A product in which an exactly zero factor wins, whatever the other.
fn times(factor: f32, value: f32) -> f32 {
    return select(factor * value, 0f, factor == 0f);
}
