//! A row's weight is a factor on its loss and gradient. A row of weight 0 does not count: both are exactly 0, whatever
//! its logits; one whose weight is no number has no value.

/// The weight's bits; the number 1 with stride 0 where there are no weights.
fn row_weight(row: u32) -> u32 {
    return row_weights[params.row_weights + row * params.row_weights_stride];
}

fn is_zero(weight: u32) -> bool {
    return (weight << 1u) == 0u;
}

fn is_no_number(weight: u32) -> bool {
    return (weight << 1u) >= 0xff000000u;
}

fn weighed(row: Row, weight: u32) -> Row {
    var weighed = row;
    weighed.ignored = row.ignored || is_zero(weight);
    weighed.poisoned = !is_zero(weight) && (row.poisoned || (!row.ignored && is_no_number(weight)));
    return weighed;
}

/// A value's bits times the weight; a row may have an infinite value and no gradient.
fn weighed_bits(row: Row, weight: u32, value: u32) -> u32 {
    let weighed = bits_of(times_Total(total_of(value), bitcast<f32>(weight)));
    return select(select(weighed, NAN, is_no_number(weight)), 0u, row.ignored);
}
