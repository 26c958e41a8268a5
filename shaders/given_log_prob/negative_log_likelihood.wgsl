//! Negative log-likelihood of given log-probabilities: a row's loss is -w_t lp_t, its gradient -w_t [j=t]. Of the row
//! only lp_t is read.

struct Row {
    t: u32,
    /// -w_t.
    slope: f32,
    /// The row's loss as bits.
    value: u32,
    /// The row's own weight as bits.
    weight: u32,
    ignored: bool,
    poisoned: bool,
}

fn row_of(truth: Truth, weight: u32) -> Row {
    let w_t = class_factor(truth.t);
    let poisoned = truth.poisoned || (!truth.ignored && is_bad(truth.x_t));
    let is_number = !is_bad(truth.x_t) && truth.x_t != NEG_INF;
    var total = Total(times(w_t, -select(0f, bitcast<f32>(truth.x_t), is_number)), 0u);
    if (truth.x_t == NEG_INF) {
        total = infinite_cost(w_t);
    }
    let value = select(select(bits_of(total), NAN, poisoned), 0u, truth.ignored);
    return Row(truth.t, -w_t, value, weight, truth.ignored, poisoned);
}

/// The row that a lane stands on; the last one past it.
fn row_at(lane: Lane, place: Place) -> Row {
    let row_index = row_to_read(place);
    let weight = row_weight(row_index);
    return weighed(row_of(truth_of(lane, row_index), weight), weight);
}
