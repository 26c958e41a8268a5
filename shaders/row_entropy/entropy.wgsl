//! Entropy H of p = softmax(x), from the moment; dx_j = -p_j (lp_j + H).

const STATE_WIDTH: u32 = 3u;
const LOSS_FROM_GRADIENT_PASS: bool = false;

struct Element {
    logit: u32,
}

struct Sums {
    softmax: Softmax,
    moment: f32,
    bad: u32,
}

const EMPTY: Sums = Sums(NO_LOGITS, 0f, 0u);

fn push(s: Sums, e: Element) -> Sums {
    let step = step_softmax(s.softmax, e.logit);
    let moment = step_moment(s.moment, s.softmax, step, e.logit);
    return Sums(step.softmax, moment, s.bad | select(0u, 1u, is_bad(e.logit)));
}

fn merge_Sums(a: Sums, b: Sums) -> Sums {
    let join = join_softmax(a.softmax, b.softmax);
    return Sums(join.softmax, join_moment(a.moment, a.softmax, b.moment, b.softmax, join), a.bad | b.bad);
}

struct Row {
    softmax: Softmax,
    inv_d: f32,
    log_d: f32,
    entropy: f32,
    value: u32,
    ignored: bool,
    poisoned: bool,
}

fn row_of(s: Softmax, entropy: f32, poisoned: bool) -> Row {
    return Row(s, 1f / (1f + s.D), log_d(s), entropy, select(bitcast<u32>(entropy), NAN, poisoned), false, poisoned);
}

fn finish(truth: Truth, sums: Sums) -> Row {
    let entropy = entropy_of(sums.softmax, sums.moment);
    return row_of(sums.softmax, entropy, sums.bad != 0u || sums.softmax.D < 0f);
}

fn gradient(row: Row, e: Element, j: u32) -> f32 {
    let p = probability(row.softmax, e.logit, row.inv_d);
    return -times(p, shifted_logit(row.softmax, e.logit) - row.log_d + row.entropy);
}

fn loss_term(row: Row, e: Element) -> f32 {
    return 0f;
}

fn value_of(row: Row, terms: f32) -> u32 {
    return row.value;
}

fn state_of(row: Row) -> State {
    let m = select(bitcast<u32>(row.softmax.m), NAN, row.poisoned);
    var state: State;
    state[0] = m;
    state[1] = bitcast<u32>(row.softmax.D);
    state[2] = row.value;
    return state;
}

fn row_from(truth: Truth, state: State) -> Row {
    let softmax = Softmax(bitcast<f32>(state[0]), bitcast<f32>(state[1]));
    return row_of(softmax, bitcast<f32>(state[2]), is_nan(state[0]));
}
