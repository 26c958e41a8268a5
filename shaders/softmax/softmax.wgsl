//! softmax: p_c = exp(x_c - m) / d.

fn push_g(sum: f32, g: f32, step: Step) -> f32 {
    return sum * step.kept + g * step.term;
}

fn join_g(a: f32, b: f32, join: Join) -> f32 {
    return a * join.a + b * join.b;
}

fn value(row: Row, e: Element) -> u32 {
    return bitcast<u32>(probability(row.softmax, e.logit, row.inv_d));
}

fn dlogit(row: Row, e: Element) -> f32 {
    return probability(row.softmax, e.logit, row.inv_d) * (e.g - row.g * row.inv_d);
}
