//! P is given as log-probabilities.

const TEACHER_LOGITS: bool = false;
const TEACHER_STATE: u32 = 0u;
const NO_TEACHER: Softmax = Softmax(0f, 0f);
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

fn teacher_step(s: Softmax, e: Element) -> Step {
    return Step(s, 1f, teacher_p(s, e, 1f));
}

fn teacher_join(a: Softmax, b: Softmax) -> Join {
    return Join(a, 1f, 1f);
}
