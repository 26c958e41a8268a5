//! P is given as log-probabilities.

const TEACHER_LOGITS: bool = false;
const TEACHER_STATE: u32 = 0u;
const NO_TEACHER: Softmax = Softmax(0f, 0f);
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
    return exp32(logit_of(e.y));
}

fn teacher_log_p(s: Softmax, e: Element) -> f32 {
    return logit_of(e.y);
}

/// e^log p (log p - log q), without p.
fn is_zero_times_infinity(e: Element) -> bool {
    return e.y == NEG_INF;
}

fn teacher_step(s: Softmax, e: Element) -> Step {
    return Step(s, 1f, teacher_p(s, e, 1f));
}

fn teacher_join(a: Softmax, b: Softmax) -> Join {
    return Join(a, 1f, 1f);
}

/// Of a mean under P of h = log p - log q, with respect to what P comes from.
fn teacher_slope(c: Class, h: f32, mean: f32) -> f32 {
    return times(c.p, h + 1f);
}
