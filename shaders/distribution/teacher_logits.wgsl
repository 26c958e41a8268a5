//! P = softmax(z/T).

const TEACHER_LOGITS: bool = true;
const TEACHER_STATE: u32 = 2u;
const NO_TEACHER: Softmax = NO_LOGITS;
/// Whether a class without p has a slope.
const SLOPE_OF_NOTHING: bool = false;
const TEACHER_FILL: u32 = NEG_INF;

fn is_bad_teacher(bits: u32) -> bool {
    return is_bad(bits);
}

fn is_teacher_zero(bits: u32) -> bool {
    return bits == NEG_INF;
}

fn teacher_p(s: Softmax, e: Element, inv_d: f32) -> f32 {
    return probability(s, e.y, inv_d);
}

/// log p + log d.
fn teacher_log_p(s: Softmax, e: Element) -> f32 {
    return shifted_logit(s, e.y);
}

/// p log q, without p and q.
fn is_zero_times_infinity(e: Element) -> bool {
    return e.x == NEG_INF && e.y == NEG_INF;
}

fn teacher_step(s: Softmax, e: Element) -> Step {
    return step_softmax(s, e.y);
}

fn teacher_join(a: Softmax, b: Softmax) -> Join {
    return join_softmax(a, b);
}

/// Of a mean under P of h = log p - log q, with respect to what P comes from.
fn teacher_slope(c: Class, h: f32, mean: f32) -> f32 {
    return scaled(times(c.p, h - mean));
}
