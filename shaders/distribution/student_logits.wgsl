//! Q = softmax(x/T).

const STUDENT_LOGITS: bool = true;
const STUDENT_STATE: u32 = 2u;
const NO_STUDENT: Softmax = NO_LOGITS;

fn student_step(s: Softmax, bits: u32) -> Step {
    return step_softmax(s, bits);
}

fn student_join(a: Softmax, b: Softmax) -> Join {
    return join_softmax(a, b);
}

fn student_q(s: Softmax, bits: u32, inv_d: f32) -> f32 {
    return probability(s, bits, inv_d);
}

/// log q + log d.
fn student_log_q(s: Softmax, bits: u32) -> f32 {
    return shifted_logit(s, bits);
}
