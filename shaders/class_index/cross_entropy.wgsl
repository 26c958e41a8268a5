//! Cross-entropy: -log p_t.

fn loss(log_p: f32, q: f32) -> f32 {
    return -log_p;
}

fn dloss_dlog_p(log_p: f32, q: f32) -> f32 {
    return -1f;
}
