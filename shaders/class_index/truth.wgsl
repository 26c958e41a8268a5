//! The target of a row: its class, and that class's logit or what stands in its place.

struct Truth {
    t: u32,
    /// The bits of x_t, read before a gradient in place may overwrite it.
    x_t: u32,
    ignored: bool,
    poisoned: bool,
}

/// w (-log 0): infinite, with the sign of w; nothing where w is 0, or PyTorch's NaN.
fn infinite_cost(w: f32) -> Total {
    return total_of(select(select(select(0u, NAN, PYTORCH_CORNERS), NEG_INF, w < 0f), POS_INF, w > 0f));
}
