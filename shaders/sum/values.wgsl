//! The terms are values written by an earlier dispatch; the last sum is divided.

/// Whether this sum is the last: divide and write the operation's value.
override FINAL: bool = true;

fn term(i: u32, end: u32) -> Total {
    if (i >= end) {
        return NOTHING;
    }
    return total_of(terms[params.logits + i * params.logits_stride]);
}

/// Over a divisor of 0 a mean has no value.
fn closing(total: Total) -> u32 {
    if (!FINAL) {
        return bits_of(total);
    }
    let d = divisor_value();
    return select(bits_of(Total(total.sum / d, total.flags)), NAN, d == 0f);
}
