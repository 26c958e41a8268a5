//! Losses of softmax(x) against one class t per row: loss(log_p, q) with log_p = log p_t and q = 1 - p_t.
//!
//!     row loss = s w_t loss(log_p, q) + h (-sum_c w_c lp_c) + z lse^2 + e1 q
//!     dx_j     = (s w_t dloss_dlog_p(log_p, q) - e1 p_t) ([j=t] - p_j) + h (p_j sum_c w_c - w_j) + 2 z lse p_j
//!
//! with s the target_share and h the even_share of label smoothing; times sech^2(x_j/cap)/T.

const STATE_WIDTH: u32 = 2u;
const LOSS_FROM_GRADIENT_PASS: bool = false;

/// Of a logit: it is NaN or +infinity. Of a masked logit with smoothing: its term is infinite.
const BAD_LOGIT: u32 = 1u;
const SPREAD_POS_INF: u32 = 2u;
const SPREAD_NEG_INF: u32 = 4u;
const SPREAD_NAN: u32 = 8u;

/// Rows whose logits need not be read. In PyTorch an ignored row has the gradient of 0 through its softmax.
fn is_settled(truth: Truth) -> bool {
    return (truth.ignored && !PYTORCH_CORNERS) || truth.poisoned;
}

struct Element {
    logit: u32,
    /// h w_c, the share of the target that smoothing gives the class.
    weight: f32,
    j: u32,
}

struct Sums {
    softmax: Softmax,
    /// With smoothing: sum of h w_c (x_c - m)/T, and of h w_c, over the classes seen.
    spread: f32,
    weight: f32,
    flags: u32,
    seen: Seen,
}

const EMPTY: Sums = Sums(NO_LOGITS, 0f, 0f, 0u, NOTHING_SEEN);

fn push(s: Sums, e: Element) -> Sums {
    let step = step_softmax(s.softmax, e.logit);
    var sums = s;
    sums.softmax = step.softmax;
    sums.flags |= select(0u, BAD_LOGIT, is_bad(e.logit));
    sums.seen = see(s.seen, s.softmax, step, e.logit, e.j);
    if (LABEL_SMOOTHING) {
        let m = step.softmax.m;
        let masked = e.logit == NEG_INF;
        sums.spread = moved(s.spread, s.weight, s.softmax.m, m)
            + select(weighted_difference(e.weight, logit_of(e.logit), m), 0f, masked);
        sums.weight += select(e.weight, 0f, masked);
        // -h w lp of a mask: infinite, with the weight's sign.
        sums.flags |= select(0u, SPREAD_POS_INF, masked && e.weight > 0f);
        sums.flags |= select(0u, SPREAD_NEG_INF, masked && e.weight < 0f);
        if (PYTORCH_CORNERS) {
            sums.flags |= select(0u, SPREAD_NAN, masked && e.weight == 0f && e.j < params.end_class);
        }
    }
    return sums;
}

/// sum of w (x - m)/T for a new m, from that for an old one.
fn moved(sum: f32, weight: f32, old_m: f32, m: f32) -> f32 {
    return sum + weighted_difference(weight, old_m, m);
}

/// w (x - m)/T, by halves so that logits at both ends of f32 do not overflow.
fn weighted_difference(weight: f32, x: f32, m: f32) -> f32 {
    return times(2f * weight, scaled(opaque(0.5f * capped(x) - 0.5f * capped(m))));
}

fn merge_Sums(a: Sums, b: Sums) -> Sums {
    let join = join_softmax(a.softmax, b.softmax);
    let seen = merge_Seen(a.seen, b.seen, a.softmax, b.softmax, join);
    var sums = Sums(join.softmax, 0f, a.weight + b.weight, a.flags | b.flags, seen);
    if (LABEL_SMOOTHING) {
        let m = sums.softmax.m;
        sums.spread = moved(a.spread, a.weight, a.softmax.m, m) + moved(b.spread, b.weight, b.softmax.m, m);
    }
    return sums;
}

struct Row {
    softmax: Softmax,
    inv_d: f32,
    log_p: f32,
    p_t: f32,
    t: u32,
    /// slope (1 - p_t), and slope / d: the gradient of the target, and that of the others over -e_j, before even.
    slope_q: f32,
    slope_inv_d: f32,
    /// The factor on every p_j: what smoothing and z-loss push down evenly.
    even: f32,
    /// The row's loss as bits, and what it is without z-loss.
    value: u32,
    without_z: u32,
    ignored: bool,
    poisoned: bool,
}

fn finish(truth: Truth, sums: Sums) -> Row {
    let s = sums.softmax;
    let inv_d = 1f / (1f + s.D);
    let log_d = log_d(s);
    let masked = truth.x_t == NEG_INF;
    let leads = !masked && logit_of(truth.x_t) == s.m;
    let p_t = select(probability(s, truth.x_t, inv_d), inv_d, leads);
    let log_p = select(select(shifted_logit(s, truth.x_t) - log_d, -log_d, leads), LOWEST, masked);
    let q = select(1f - p_t, s.D * inv_d, leads);

    // 1. The loss of the target.
    let w_t = class_factor(truth.t) * params.target_share;
    var total = Total(times(w_t, loss(log_p, q)), 0u);
    if (masked && loss(LOWEST, 1f) != loss(0.5f * LOWEST, 1f)) {
        // It grows without bound as p_t falls to 0.
        total = infinite_cost(w_t);
    }
    // 2. What smoothing spreads over all classes.
    if (LABEL_SMOOTHING) {
        total.sum += params.even_sum * log_d - sums.spread;
        total.flags |= select(0u, HAS_POS_INF, (sums.flags & SPREAD_POS_INF) != 0u);
        total.flags |= select(0u, HAS_NEG_INF, (sums.flags & SPREAD_NEG_INF) != 0u);
        total.flags |= select(0u, HAS_NAN, (sums.flags & SPREAD_NAN) != 0u);
    }
    // 3. z-loss and poly-1, which no class weight touches.
    var share = 0f;
    var z = 0f;
    let lse = log_sum_exp(s);
    if (ROW_EXTRAS) {
        share = divisor_over_kept();
        total.sum += share * params.poly1 * q;
        // Of rows at the ends of f32, lse may be infinite.
        z = select(share * params.z_loss * lse * lse, 0f, params.z_loss == 0f);
    }

    let no_softmax = (sums.flags & BAD_LOGIT) != 0u || s.D < 0f;
    let poisoned = truth.poisoned || ((PYTORCH_CORNERS || !truth.ignored) && no_softmax);
    let without_z = select(select(bits_of(total), NAN, poisoned), 0u, truth.ignored);
    total.sum += z;
    let value = select(select(bits_of(total), NAN, poisoned), 0u, truth.ignored);
    // 4. Slopes: s w_t dloss_dlog_p - e1 p_t, and h sum_c w_c + 2 z lse.
    var slope = times(w_t, dloss_dlog_p(log_p, q));
    var even = params.even_sum;
    if (ROW_EXTRAS) {
        slope -= share * params.poly1 * p_t;
        even += select(share * 2f * params.z_loss * lse, 0f, params.z_loss == 0f);
    }
    return Row(
        s, inv_d, log_p, p_t, truth.t, slope * q, slope * inv_d, even, value, without_z, truth.ignored, poisoned,
    );
}

fn gradient(row: Row, e: Element, j: u32) -> f32 {
    var dx = select(-probability(row.softmax, e.logit, row.slope_inv_d), row.slope_q, j == row.t);
    if (LABEL_SMOOTHING || ROW_EXTRAS) {
        dx += probability(row.softmax, e.logit, row.inv_d) * row.even - e.weight;
    }
    if (SOFTCAP) {
        dx *= cap_slope(e.logit);
    }
    return scaled(dx);
}

/// The whole loss is known before the gradient pass.
fn loss_term(row: Row, e: Element) -> f32 {
    return 0f;
}

fn value_of(row: Row, terms: f32) -> u32 {
    return row.value;
}

fn state_of(row: Row) -> State {
    var state: State;
    state[0] = select(bitcast<u32>(row.softmax.m), NAN, row.poisoned);
    state[1] = bitcast<u32>(row.softmax.D);
    return state;
}

/// The row from its saved state; its value has no reader.
fn row_from(truth: Truth, state: State) -> Row {
    let softmax = Softmax(bitcast<f32>(state[0]), bitcast<f32>(state[1]));
    return finish(truth, Sums(softmax, 0f, 0f, select(0u, BAD_LOGIT, is_nan(state[0])), NOTHING_SEEN));
}
