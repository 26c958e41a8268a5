//! The moment sum_c e_c (x_c - m)/T with e_c = exp((x_c - m)/T), which follows an online softmax and gives its entropy:
//! H = -sum_c p_c lp_c = log d - (1/d) sum_c e_c (x_c - m)/T, both terms positive.

/// The moment of a state about a new maximum m, before the factor that m brings.
fn moved_moment(moment: f32, s: Softmax, m: f32) -> f32 {
    return moment + times(1f + s.D, logit_difference(s.m, m));
}

fn step_moment(moment: f32, before: Softmax, step: Step, bits: u32) -> f32 {
    let m = step.softmax.m;
    return times(step.kept, moved_moment(moment, before, m)) + times(step.term, logit_difference(logit_of(bits), m));
}

fn join_moment(moment_a: f32, a: Softmax, moment_b: f32, b: Softmax, join: Join) -> f32 {
    let m = join.softmax.m;
    return times(join.a, moved_moment(moment_a, a, m)) + times(join.b, moved_moment(moment_b, b, m));
}

fn entropy_of(s: Softmax, moment: f32) -> f32 {
    return log_d(s) - moment / (1f + s.D);
}
