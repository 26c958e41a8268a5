//! A loss against a label and a divergence from a teacher, each times its weight, in one read of the logits
//! (Hinton et al. 2015). Each part is its own family's text, its names with hard_ or soft_ before them:
//!
//!     row loss = a (hard + share z) + b share soft,    dx_j = a d(hard + share z)_j + b share dsoft_j
//!
//! with z the z-loss, which is the hard part's. share brings what no class weight touches to the divisor of the
//! rest. A row whose label is ignored has no part; one that either family leaves without a value has none.

/// Where a row's state has its label: the class counted from 1, 0 where it is ignored, and that class's logit.
const LABEL_STATE: u32 = hard_STATE_WIDTH + soft_STATE_WIDTH;
const STATE_WIDTH: u32 = LABEL_STATE + 2u;
const LOSS_FROM_GRADIENT_PASS: bool = soft_LOSS_FROM_GRADIENT_PASS;

struct Truth {
    hard: hard_Truth,
    soft: soft_Truth,
}

/// What a second read sums is the teacher's part alone.
alias Terms = soft_Terms;

fn is_settled(truth: Truth) -> bool {
    return hard_is_settled(truth.hard);
}

/// The teacher's row stands where the part looks for its targets.
fn beside_teacher(place: Place) -> Place {
    var beside = place;
    beside.targets = params.teacher + row_start(place.row, params.teacher_stride);
    return beside;
}

struct Element {
    hard: hard_Element,
    soft: soft_Element,
}

struct Sums {
    hard: hard_Sums,
    soft: soft_Sums,
}

const EMPTY: Sums = Sums(hard_EMPTY, soft_EMPTY);

fn push(s: Sums, e: Element) -> Sums {
    return Sums(hard_push(s.hard, e.hard), soft_push(s.soft, e.soft));
}

fn merge_Sums(a: Sums, b: Sums) -> Sums {
    return Sums(hard_merge_Sums(a.hard, b.hard), soft_merge_Sums(a.soft, b.soft));
}

/// Bits of the weighted sum and of its parts: the label's, the teacher's, and the label's z-loss.
struct Value {
    total: u32,
    hard: u32,
    soft: u32,
    z: u32,
}

struct Row {
    hard: hard_Row,
    soft: soft_Row,
    /// The bits of the label's logit.
    x_t: u32,
    /// The factor on the teacher's part: b share.
    soft_weight: f32,
    value: Value,
    ignored: bool,
    poisoned: bool,
}

fn finish(truth: Truth, sums: Sums) -> Row {
    return row_of(truth, hard_finish(truth.hard, sums.hard), soft_finish(truth.soft, sums.soft));
}

fn row_of(truth: Truth, hard: hard_Row, soft: soft_Row) -> Row {
    let soft_weight = soft_params.part_weight * hard_divisor_over_kept();
    let poisoned = hard.poisoned || (!hard.ignored && soft.poisoned);
    return Row(hard, soft, truth.hard.x_t, soft_weight, Value(0u, 0u, 0u, 0u), hard.ignored, poisoned);
}

fn valued(row: Row, soft: u32) -> Value {
    if (row.ignored) {
        return Value(0u, 0u, 0u, 0u);
    }
    // A divergence may be infinite, and its gradient alone without a value.
    if (row.hard.poisoned || (row.soft.poisoned && is_nan(soft))) {
        return Value(NAN, NAN, NAN, NAN);
    }
    let hard = times_Total(total_of(row.hard.value), params.part_weight);
    let total = merge_Total(hard, times_Total(total_of(soft), row.soft_weight));
    let lse = hard_log_sum_exp(row.hard.softmax);
    return Value(bits_of(total), row.hard.without_z, soft, bitcast<u32>(times(soft_params.z_loss, lse * lse)));
}

fn gradient(row: Row, e: Element, j: u32) -> f32 {
    return params.part_weight * hard_gradient(row.hard, e.hard, j)
        + row.soft_weight * soft_params.scale * soft_gradient(row.soft, e.soft, j);
}

fn loss_term(row: Row, e: Element) -> f32 {
    return soft_loss_term(row.soft, e.soft);
}

fn value_of(row: Row, terms: f32) -> Value {
    return valued(row, soft_value_of(row.soft, terms));
}

fn state_of(row: Row) -> State {
    var state = hard_state_of(row.hard);
    let soft = soft_state_of(row.soft);
    for (var i = 0u; i < soft_STATE_WIDTH; i++) {
        state[hard_STATE_WIDTH + i] = soft[i];
    }
    state[LABEL_STATE] = select(row.hard.t + 1u, 0u, row.ignored);
    state[LABEL_STATE + 1u] = select(row.x_t, 0u, row.ignored);
    return state;
}

fn row_from(truth: Truth, state: State) -> Row {
    var soft: State;
    for (var i = 0u; i < soft_STATE_WIDTH; i++) {
        soft[i] = state[hard_STATE_WIDTH + i];
    }
    return row_of(truth, hard_row_from(truth.hard, state), soft_row_from(truth.soft, soft));
}
