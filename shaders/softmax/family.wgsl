//! Batched softmax and log-softmax: one value per class, and the gradient from an upstream gradient g per class.
//!
//!     log-softmax: dx_j = g_j - p_j sum_k g_k        softmax: dx_j = p_j (g_j - sum_k g_k p_k)

const STATE_WIDTH: u32 = 2u;

struct Element {
    logit: u32,
    g: f32,
}

struct Sums {
    softmax: Softmax,
    /// What the gradient needs of g: its sum, or its sum weighted by exp(x_c - m).
    g: f32,
    bad: u32,
}

const EMPTY: Sums = Sums(NO_LOGITS, 0f, 0u);

fn push(s: Sums, e: Element) -> Sums {
    let step = step_softmax(s.softmax, e.logit);
    return Sums(step.softmax, push_g(s.g, e.g, step), s.bad | select(0u, 1u, is_bad(e.logit)));
}

fn merge_Sums(a: Sums, b: Sums) -> Sums {
    let join = join_softmax(a.softmax, b.softmax);
    return Sums(join.softmax, join_g(a.g, b.g, join), a.bad | b.bad);
}

struct Row {
    softmax: Softmax,
    inv_d: f32,
    log_d: f32,
    g: f32,
    poisoned: bool,
}

fn row_of(softmax: Softmax, g: f32, poisoned: bool) -> Row {
    return Row(softmax, 1f / (1f + softmax.D), log_d(softmax), g, poisoned || softmax.D < 0f);
}

fn poison(row: Row) -> vec4<u32> {
    return vec4<u32>(select(0u, NAN, row.poisoned));
}

fn values4(row: Row, e: array<Element, 4>) -> vec4<u32> {
    return vec4<u32>(value(row, e[0]), value(row, e[1]), value(row, e[2]), value(row, e[3])) | poison(row);
}

fn dlogits4(row: Row, e: array<Element, 4>) -> vec4<u32> {
    let dx = vec4<f32>(dlogit(row, e[0]), dlogit(row, e[1]), dlogit(row, e[2]), dlogit(row, e[3]));
    return bitcast<vec4<u32>>(dx) | poison(row);
}
