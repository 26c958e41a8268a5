//! P = softmax(z/T).

const TEACHER_LOGITS: bool = true;
const TEACHER_STATE: u32 = 2u;
const NO_TEACHER: Softmax = NO_LOGITS;
const TEACHER_FILL: u32 = NEG_INF;

fn is_bad_teacher(bits: u32) -> bool {
    return is_bad(bits);
}

fn teacher_p(s: Softmax, e: Element, inv_d: f32) -> f32 {
    return probability(s, e.y, inv_d);
}

/// log p + log d.
fn teacher_log_p(s: Softmax, e: Element) -> f32 {
    return shifted_logit(s, e.y);
}

fn teacher_mass(s: Softmax, e: Element) -> Mass {
    let step = step_softmax(s, e.y);
    return Mass(step, step.term, teacher_log_p(step.softmax, e));
}

fn teacher_join(a: Softmax, b: Softmax) -> Join {
    return join_softmax(a, b);
}
