//! Side outputs beside a label.

/// The bits of x_t, read once.
var<private> target_logit: u32;

fn look_out_for(truth: Truth) {
    target_logit = truth.x_t;
}

/// Whether a logit that is no mask exceeds x_t. A soft cap keeps the order.
fn is_above_target(bits: u32) -> bool {
    return bits != NEG_INF && (target_logit == NEG_INF || bitcast<f32>(bits) > bitcast<f32>(target_logit));
}

fn softmax_of(row: Row) -> Softmax {
    return row.softmax;
}

fn log_prob_of_target(truth: Truth, row: Row) -> u32 {
    return select(bitcast<u32>(row.log_p), NEG_INF, truth.x_t == NEG_INF);
}

fn prob_of_target(row: Row) -> u32 {
    return bitcast<u32>(row.p_t);
}
