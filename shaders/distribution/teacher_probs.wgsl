//! P is given: w_c ((1-eps) y_c + eps/C), which is y itself without class weights and label smoothing.

const TEACHER_LOGITS: bool = false;
const TEACHER_STATE: u32 = 0u;
const NO_TEACHER: Softmax = Softmax(0f, 0f);
/// Whether a class without p has a slope.
const SLOPE_OF_NOTHING: bool = true;
const TEACHER_FILL: u32 = 0u;

/// NaN, infinity, or a negative number where its logarithm is needed.
fn is_bad_teacher(bits: u32) -> bool {
    return (bits << 1u) >= 0xff000000u || (READS_LOG_P && bits > 0x80000000u);
}

fn is_teacher_zero(bits: u32) -> bool {
    return (bits << 1u) == 0u;
}

fn teacher_p(s: Softmax, e: Element, inv_d: f32) -> f32 {
    var p = bitcast<f32>(e.y);
    if (LABEL_SMOOTHING) {
        p = params.target_share * p + params.even_share;
    }
    return e.weight * p;
}

/// Of a p that may be subnormal, or a zero with a sign.
fn teacher_log_p(s: Softmax, e: Element) -> f32 {
    return log_of_bits(e.y & 0x7fffffffu);
}

/// p log q, without p and q.
fn is_zero_times_infinity(e: Element) -> bool {
    return e.x == NEG_INF && teacher_p(NO_TEACHER, e, 1f) == 0f;
}

fn teacher_step(s: Softmax, e: Element) -> Step {
    return Step(s, 1f, teacher_p(s, e, 1f));
}

fn teacher_join(a: Softmax, b: Softmax) -> Join {
    return Join(a, 1f, 1f);
}

/// Of a mean under P of h = log p - log q, with respect to what P comes from.
fn teacher_slope(c: Class, h: f32, mean: f32) -> f32 {
    return h + 1f;
}
