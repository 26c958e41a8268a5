//! The terms are values written by an earlier dispatch; the last sum is divided.

/// Whether this sum is the last: divide and write the operation's value.
override FINAL: bool = true;
override EMPTY_MEAN_IS_ZERO: bool = false;

fn term(i: u32, end: u32) -> Total {
    if (i >= end) {
        return NOTHING;
    }
    return total_of(terms[params.logits + i * params.logits_stride]);
}

/// Over a divisor of 0 a mean has no value, or 0 by the caller's choice, unless a row without a value makes it NaN.
fn closing(total: Total) -> u32 {
    if (!FINAL) {
        return bits_of(total);
    }
    let d = divisor_value();
    if (d == 0f) {
        return select(NAN, 0u, EMPTY_MEAN_IS_ZERO && (total.flags & HAS_NAN) == 0u);
    }
    return bits_of(Total(total.sum / d, total.flags));
}
