//! The target of a row: its class, and that class's logit or what stands in its place. Rows whose label is ignored are
//! exactly 0, whatever their logits; a label out of range poisons its row.

struct Truth {
    t: u32,
    /// The bits of x_t, read before a gradient in place may overwrite it.
    x_t: u32,
    ignored: bool,
    poisoned: bool,
}

fn truth_of(lane: Lane, row: u32) -> Truth {
    let label = label_of(row);
    let ignored = is_ignored(label);
    let poisoned = !ignored && (label < 0 || u32(label) >= params.n_classes);
    let t = select(u32(label), 0u, ignored || poisoned);
    return Truth(t, logit_of_target(row, t), ignored, poisoned);
}

/// w (-log 0): infinite, with the sign of w; nothing where w is 0, or PyTorch's NaN.
fn infinite_cost(w: f32) -> Total {
    return total_of(select(select(select(0u, NAN, PYTORCH_CORNERS), NEG_INF, w < 0f), POS_INF, w > 0f));
}
