//! Entropy of p = softmax(x): H = -sum_c p_c lp_c = log d - (1/d) sum_c e_c (x_c - m), both terms positive;
//! dx_j = -p_j (lp_j + H).

const STATE_WIDTH: u32 = 3u;
const LOSS_FROM_GRADIENT_PASS: bool = false;

struct Element {
    logit: u32,
}

fn load4(place: Place, j: u32, left: u32) -> array<Element, 4> {
    let x = load_logits(place.logits + j, left, NEG_INF);
    return array(Element(x.x), Element(x.y), Element(x.z), Element(x.w));
}

struct Sums {
    softmax: Softmax,
    /// sum of e_c (x_c - m), e_c = exp(x_c - m).
    moment: f32,
    bad: u32,
}

const EMPTY: Sums = Sums(NO_LOGITS, 0f, 0u);

/// The moment about a new maximum m, before the factor that m brings.
fn moved(s: Sums, m: f32) -> f32 {
    return s.moment + times(1f + s.softmax.D, s.softmax.m - m);
}

fn push(s: Sums, e: Element) -> Sums {
    let step = step_softmax(s.softmax, e.logit);
    let m = step.softmax.m;
    let moment = times(step.kept, moved(s, m)) + times(step.term, logit_of(e.logit) - m);
    return Sums(step.softmax, moment, s.bad | select(0u, 1u, is_bad(e.logit)));
}

fn merge_Sums(a: Sums, b: Sums) -> Sums {
    let join = join_softmax(a.softmax, b.softmax);
    let m = join.softmax.m;
    return Sums(join.softmax, times(join.a, moved(a, m)) + times(join.b, moved(b, m)), a.bad | b.bad);
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
    let entropy = log_d(sums.softmax) - sums.moment / (1f + sums.softmax.D);
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
    return State(m, bitcast<u32>(row.softmax.D), row.value, 0u, 0u);
}

fn row_from(truth: Truth, state: State) -> Row {
    let softmax = Softmax(bitcast<f32>(state[0]), bitcast<f32>(state[1]));
    return row_of(softmax, bitcast<f32>(state[2]), is_nan(state[0]));
}
