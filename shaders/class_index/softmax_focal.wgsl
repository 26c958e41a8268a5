//! Focal loss (Lin et al. 2017, eq. 5): -q^gamma log p_t with q = 1 - p_t.

fn focus(q: f32) -> f32 {
    return pow32(q, params.loss_args.x, params.loss_args.y);
}

fn loss(log_p: f32, q: f32) -> f32 {
    return times(focus(q), -log_p);
}

/// -q^gamma (1 + gamma p_t r) with r = -log p_t / q: 1 in the limit q = 0, and p_t r = 0 where p_t = 0.
fn dloss_dlog_p(log_p: f32, q: f32) -> f32 {
    let r = select(-log_p / q, 1f, q == 0f);
    return -focus(q) * (1f + params.loss_args.x * times(exp32(log_p), r));
}
