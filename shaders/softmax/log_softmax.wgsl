//! log-softmax: lp_c = (x_c - m) - log d.

fn push_g(sum: f32, g: f32, step: Step) -> f32 {
    return sum + g;
}

fn join_g(a: f32, b: f32, join: Join) -> f32 {
    return a + b;
}

fn value(row: Row, e: Element) -> u32 {
    return select(bitcast<u32>(shifted_logit(row.softmax, e.logit) - row.log_d), NEG_INF, e.logit == NEG_INF);
}

fn dlogit(row: Row, e: Element) -> f32 {
    return e.g - probability(row.softmax, e.logit, row.inv_d) * row.g;
}
