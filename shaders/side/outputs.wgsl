//! Side outputs of a row: its words follow each other in the order of the bits of SIDE. Rows that do not count have 0
//! everywhere; rows without a value or a gradient NaN, and no argmax.

fn hit(above: u32, k: u32) -> u32 {
    return bitcast<u32>(select(0f, 1f, above < k));
}

fn write_side(place: Place, truth: Truth, row: Row, sums: Sums) {
    if (place.row >= params.n_rows || place.rank != 0u) {
        return;
    }
    let softmax = softmax_of(row);
    var at = params.side + place.row * params.side_width;
    at = put(at, LSE, row, bitcast<u32>(log_sum_exp(softmax)), NAN);
    at = put(at, ENTROPY, row, bitcast<u32>(entropy_of(softmax, sums.seen.moment)), NAN);
    at = put(at, LOG_PROB, row, log_prob_of_target(truth, row), NAN);
    at = put(at, PROB, row, prob_of_target(row), NAN);
    at = put(at, ARGMAX, row, sums.seen.argmax, NO_CLASS);
    at = put(at, TOP_1, row, hit(sums.seen.above, 1u), NAN);
    at = put(at, TOP_K, row, hit(sums.seen.above, params.top_k), NAN);
}

/// Writes an output that is wanted; returns the place of the next.
fn put(at: u32, output: u32, row: Row, bits: u32, without_value: u32) -> u32 {
    if (!wants(output)) {
        return at;
    }
    side[at] = select(select(bits, without_value, row.poisoned), 0u, row.ignored);
    return at + 1u;
}
