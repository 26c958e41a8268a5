//! Negative log-likelihood of given log-probabilities: a row's loss is -w_t lp_t, its gradient -w_t [j=t]. Of the row only
//! lp_t is read.

struct Row {
    t: u32,
    /// -w_t.
    slope: f32,
    /// The row's loss as bits.
    value: u32,
    ignored: bool,
    poisoned: bool,
}

fn row_of(truth: Truth) -> Row {
    let w_t = class_factor(truth.t);
    let poisoned = truth.poisoned || (!truth.ignored && is_bad(truth.x_t));
    let is_number = !is_bad(truth.x_t) && truth.x_t != NEG_INF;
    var total = Total(times(w_t, -select(0f, bitcast<f32>(truth.x_t), is_number)), 0u);
    if (truth.x_t == NEG_INF) {
        total = infinite_cost(w_t);
    }
    let value = select(select(bits_of(total), NAN, poisoned), 0u, truth.ignored);
    return Row(truth.t, -w_t, value, truth.ignored, poisoned);
}
