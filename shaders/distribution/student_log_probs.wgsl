//! Q is given as log-probabilities: as if m = 0 and d = 1.

const STUDENT_LOGITS: bool = false;
const STUDENT_STATE: u32 = 0u;
const NO_STUDENT: Softmax = Softmax(0f, 0f);

fn student_step(s: Softmax, bits: u32) -> Step {
    return Step(s, 1f, student_q(s, bits, 1f));
}

fn student_join(a: Softmax, b: Softmax) -> Join {
    return Join(a, 1f, 1f);
}

fn student_q(s: Softmax, bits: u32, inv_d: f32) -> f32 {
    return exp32(logit_of(bits));
}

fn student_log_q(s: Softmax, bits: u32) -> f32 {
    return logit_of(bits);
}
