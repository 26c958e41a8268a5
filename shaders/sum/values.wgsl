//! The terms are values written by an earlier dispatch, in columns; the last sum of each is divided.

/// params.closing: sums are left for a later one, or are the last and divided. A mean over nothing is then NaN, 0, or the
/// quotient.
const LEFT: u32 = 0u;
const NOTHING_IS_NAN: u32 = 1u;
const NOTHING_IS_ZERO: u32 = 2u;
const NOTHING_IS_A_QUOTIENT: u32 = 3u;

fn term(i: u32, end: u32, column: u32) -> Total {
    if (i >= end) {
        return NOTHING;
    }
    return total_of(terms[params.logits + column * params.inner + i * params.logits_stride]);
}

/// Over a divisor of 0 a mean has no value, or 0 by the caller's choice, unless a row without a value makes it NaN. In
/// PyTorch it is the quotient.
fn mean_over_nothing(total: Total, divisor_sign: u32) -> u32 {
    let sum = bits_of(total);
    if (params.closing == NOTHING_IS_ZERO) {
        return select(0u, NAN, is_nan(sum));
    }
    let undefined = params.closing == NOTHING_IS_NAN || is_nan(sum) || (sum << 1u) == 0u;
    return select(((sum ^ divisor_sign) & 0x80000000u) | POS_INF, NAN, undefined);
}

fn closing(total: Total) -> u32 {
    if (params.closing == LEFT) {
        return bits_of(total);
    }
    let d = divisor_value();
    if (d == 0f) {
        return mean_over_nothing(total, bitcast<u32>(d) & 0x80000000u);
    }
    return bits_of(Total(total.sum / d, total.flags));
}
