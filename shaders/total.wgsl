//! Sums of values in which NaN and infinity are carried as flags: a value is looked at as bits when it is loaded, since
//! compilers may assume that arithmetic meets neither.

struct Total {
    sum: f32,
    flags: u32,
}

const HAS_NAN: u32 = 1u;
const HAS_POS_INF: u32 = 2u;
const HAS_NEG_INF: u32 = 4u;

const NOTHING: Total = Total(0f, 0u);

fn total_of(bits: u32) -> Total {
    let flags = select(0u, HAS_NAN, is_nan(bits))
        | select(0u, HAS_POS_INF, bits == POS_INF)
        | select(0u, HAS_NEG_INF, bits == NEG_INF);
    return Total(select(bitcast<f32>(bits), 0f, flags != 0u), flags);
}

fn merge_Total(a: Total, b: Total) -> Total {
    return Total(a.sum + b.sum, a.flags | b.flags);
}

/// The total times a number; 0 wins against infinity.
fn times_Total(total: Total, factor: f32) -> Total {
    let infinite = select(total.flags & (HAS_POS_INF | HAS_NEG_INF), 0u, factor == 0f);
    let turned = select(0u, HAS_NEG_INF, (infinite & HAS_POS_INF) != 0u)
        | select(0u, HAS_POS_INF, (infinite & HAS_NEG_INF) != 0u);
    return Total(total.sum * factor, (total.flags & HAS_NAN) | select(infinite, turned, factor < 0f));
}

fn bits_of(total: Total) -> u32 {
    let infinite = total.flags & (HAS_POS_INF | HAS_NEG_INF);
    var bits = bitcast<u32>(total.sum);
    bits = select(bits, POS_INF, infinite == HAS_POS_INF);
    bits = select(bits, NEG_INF, infinite == HAS_NEG_INF);
    return select(bits, NAN, (total.flags & HAS_NAN) != 0u || infinite == (HAS_POS_INF | HAS_NEG_INF));
}
