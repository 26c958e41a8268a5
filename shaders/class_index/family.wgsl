//! Losses of softmax(x) against one class t per row: loss(log_p, q) with log_p = log p_t and q = 1 - p_t.
//!
//!     row loss = (1-eps) w_t loss(log_p, q) + (eps/C) (-sum_c w_c lp_c)
//!     dx_j     = (1-eps) w_t dloss_dlog_p(log_p, q) ([j=t] - p_j) + (eps/C) (p_j sum_c w_c - w_j)
//!
//! Rows whose label is ignored are exactly 0, whatever their logits; a label out of range poisons its row.

const STATE_WIDTH: u32 = 2u;
const LOSS_FROM_GRADIENT_PASS: bool = false;

/// Of a logit: it is NaN or +infinity. Of a masked logit with smoothing: its term is infinite.
const BAD_LOGIT: u32 = 1u;
const SPREAD_POS_INF: u32 = 2u;
const SPREAD_NEG_INF: u32 = 4u;

struct Truth {
    t: u32,
    /// The bits of x_t, read before a gradient in place may overwrite it.
    x_t: u32,
    ignored: bool,
    poisoned: bool,
}

fn truth_of(row: u32) -> Truth {
    let label = bitcast<i32>(targets[params.targets + row]);
    let ignored = params.has_ignore_index != 0u && label == params.ignore_index;
    let poisoned = !ignored && (label < 0 || u32(label) >= params.n_classes);
    let t = select(u32(label), 0u, ignored || poisoned);
    return Truth(t, logit_bits(params.logits + row * params.logits_stride + t), ignored, poisoned);
}

/// Rows whose logits need not be read.
fn is_settled(truth: Truth) -> bool {
    return truth.ignored || truth.poisoned;
}

struct Element {
    logit: u32,
    /// (eps/C) w_c, the share of the target that smoothing gives the class.
    weight: f32,
}

fn spread_weight(j: u32, exists: bool) -> f32 {
    return select(0f, params.label_smoothing / f32(params.n_classes) * class_factor(j), exists);
}

fn load4(place: Place, j: u32, left: u32) -> array<Element, 4> {
    let x = load_logits(place.logits + j, left, NEG_INF);
    if (!LABEL_SMOOTHING) {
        return array(Element(x.x, 0f), Element(x.y, 0f), Element(x.z, 0f), Element(x.w, 0f));
    }
    return array(
        Element(x.x, spread_weight(j, true)),
        Element(x.y, spread_weight(j + 1u, left > 1u)),
        Element(x.z, spread_weight(j + 2u, left > 2u)),
        Element(x.w, spread_weight(j + 3u, left > 3u)),
    );
}

struct Sums {
    softmax: Softmax,
    /// With smoothing: sum of (eps/C) w_c (x_c - m), and of (eps/C) w_c, over the classes seen.
    spread: f32,
    weight: f32,
    flags: u32,
}

const EMPTY: Sums = Sums(NO_LOGITS, 0f, 0f, 0u);

fn push(s: Sums, e: Element) -> Sums {
    var sums = s;
    sums.softmax = step_softmax(s.softmax, e.logit).softmax;
    sums.flags |= select(0u, BAD_LOGIT, is_bad(e.logit));
    if (LABEL_SMOOTHING) {
        let m = sums.softmax.m;
        let masked = e.logit == NEG_INF;
        let x = select(logit_of(e.logit), m, masked);
        sums.spread = moved(s.spread, s.weight, s.softmax.m, m) + weighted_difference(e.weight, x, m);
        sums.weight = s.weight + e.weight;
        sums.flags |= select(0u, SPREAD_POS_INF, masked && e.weight > 0f);
        sums.flags |= select(0u, SPREAD_NEG_INF, masked && e.weight < 0f);
    }
    return sums;
}

/// sum of w (x - m) for a new m, from that for an old one.
fn moved(sum: f32, weight: f32, old_m: f32, m: f32) -> f32 {
    return sum + weighted_difference(weight, old_m, m);
}

/// w (x - m), by halves so that logits at both ends of f32 do not overflow.
fn weighted_difference(weight: f32, x: f32, m: f32) -> f32 {
    return times(2f * weight, opaque(0.5f * x - 0.5f * m));
}

fn merge_Sums(a: Sums, b: Sums) -> Sums {
    var sums = Sums(join_softmax(a.softmax, b.softmax).softmax, 0f, a.weight + b.weight, a.flags | b.flags);
    if (LABEL_SMOOTHING) {
        let m = sums.softmax.m;
        sums.spread = moved(a.spread, a.weight, a.softmax.m, m) + moved(b.spread, b.weight, b.softmax.m, m);
    }
    return sums;
}

struct Row {
    softmax: Softmax,
    inv_d: f32,
    t: u32,
    /// slope (1 - p_t), and slope / d: the gradient of the target, and that of the others over -e_j.
    slope_q: f32,
    slope_inv_d: f32,
    /// The row's loss as bits.
    value: u32,
    /// sum of (eps/C) w_c over all classes.
    spread: f32,
    ignored: bool,
    poisoned: bool,
}

fn finish(truth: Truth, sums: Sums) -> Row {
    let s = sums.softmax;
    let inv_d = 1f / (1f + s.D);
    let log_d = log_d(s);
    let leads = truth.x_t != NEG_INF && logit_of(truth.x_t) == s.m;
    let p_t = probability(s, truth.x_t, inv_d);
    let log_p = select(shifted_logit(s, truth.x_t) - log_d, -log_d, leads);
    let q = select(1f - p_t, s.D * inv_d, leads);

    let spread = params.label_smoothing / f32(params.n_classes) * params.class_weight_sum;
    let w_t = class_factor(truth.t) * (1f - params.label_smoothing);
    var total = Total(times(w_t, loss(log_p, q)), 0u);
    if (truth.x_t == NEG_INF) {
        total = total_of(select(select(0u, NEG_INF, w_t < 0f), POS_INF, w_t > 0f));
    }
    if (LABEL_SMOOTHING) {
        total.sum += spread * log_d - sums.spread;
        total.flags |= select(0u, HAS_POS_INF, (sums.flags & SPREAD_POS_INF) != 0u);
        total.flags |= select(0u, HAS_NEG_INF, (sums.flags & SPREAD_NEG_INF) != 0u);
    }
    let poisoned = truth.poisoned || (!truth.ignored && ((sums.flags & BAD_LOGIT) != 0u || s.D < 0f));
    let value = select(select(bits_of(total), NAN, poisoned), 0u, truth.ignored);
    // (1-eps) w_t dloss_dlog_p
    let slope = times(w_t, dloss_dlog_p(log_p, q));
    return Row(s, inv_d, truth.t, slope * q, slope * inv_d, value, spread, truth.ignored, poisoned);
}

fn gradient(row: Row, e: Element, j: u32) -> f32 {
    var dx = select(-probability(row.softmax, e.logit, row.slope_inv_d), row.slope_q, j == row.t);
    if (LABEL_SMOOTHING) {
        dx += probability(row.softmax, e.logit, row.inv_d) * row.spread - e.weight;
    }
    return dx;
}

/// The whole loss is known before the gradient pass.
fn loss_term(row: Row, e: Element) -> f32 {
    return 0f;
}

fn value_of(row: Row, terms: f32) -> u32 {
    return row.value;
}

fn state_of(row: Row) -> State {
    return State(select(bitcast<u32>(row.softmax.m), NAN, row.poisoned), bitcast<u32>(row.softmax.D), 0u, 0u, 0u);
}

/// The row from its saved state; its value has no reader.
fn row_from(truth: Truth, state: State) -> Row {
    let softmax = Softmax(bitcast<f32>(state[0]), bitcast<f32>(state[1]));
    return finish(truth, Sums(softmax, 0f, 0f, select(0u, BAD_LOGIT, is_nan(state[0]))));
}
