//! Kullback-Leibler divergence: sum_c p_c (log p_c - log q_c).

const USES_PLOGP: bool = true;

fn loss(plogp: f32, plogq: f32, mass: f32) -> f32 {
    let divergence = plogp - plogq;
    if (!STUDENT_LOGITS) {
        return divergence;
    }
    return not_negative(divergence, mass);
}
