//! A loss that is a mean of log-ratios, sum_c w_c h(log p_c, log q_c): w is P or Q, h linear, so that the first read
//! can sum it. While the maxima are not final the sum runs about the current ones; as they move, h moves by h of their
//! moves. Terms with w = 0 are 0 whatever h.

/// Under P a slope is -p; the slopes of a softmax then sum to -1.
const SLOPES_KNOWN: bool = UNDER_P && TEACHER_LOGITS;
const LOSS_FROM_GRADIENT_PASS: bool = READS_LOG_P && STUDENT_LOGITS;

fn weight(p: Step, q: Step) -> Step {
    if (UNDER_P) {
        return p;
    }
    return q;
}

fn joined_weight(p: Join, q: Join) -> Join {
    if (UNDER_P) {
        return p;
    }
    return q;
}

/// sum of w about the maxima of s.
fn total_weight(s: Sums) -> f32 {
    if (UNDER_P) {
        return select(s.given_p, 1f + s.teacher.D, TEACHER_LOGITS);
    }
    return select(s.given_q, 1f + s.student.D, STUDENT_LOGITS);
}

/// Whether h is infinite: the other distribution has no mass there.
fn is_missed(e: Element) -> bool {
    if (UNDER_P) {
        return e.x == NEG_INF;
    }
    return is_teacher_zero(e.y);
}

/// The mean of s about the maxima of `to`.
fn moved_mean(s: Sums, to: Sums) -> f32 {
    let by = log_ratio(logit_difference(s.teacher.m, to.teacher.m), logit_difference(s.student.m, to.student.m));
    return s.mean + times(total_weight(s), by);
}

fn push_mean(s: Sums, to: Sums, p: Step, q: Step, e: Element) -> Sums {
    let w = weight(p, q);
    let h = log_ratio(teacher_log_p(to.teacher, e), student_log_q(to.student, e.x));
    let missed = is_missed(e);
    var sums = to;
    sums.mean = times(w.kept, moved_mean(s, to)) + select(times(w.term, h), 0f, missed);
    sums.missed = w.kept * s.missed + select(0f, max(w.term, 0f), missed);
    sums.flags |= select(0u, MISSES_NEGATIVE, missed && w.term < 0f);
    if (PYTORCH_CORNERS && UNDER_P && IS_DENSE) {
        sums.flags |= select(0u, UNDEFINED, e.j < params.end_class && is_zero_times_infinity(e));
    }
    return sums;
}

fn join_mean(a: Sums, b: Sums, to: Sums, p: Join, q: Join) -> Sums {
    let w = joined_weight(p, q);
    var sums = to;
    sums.mean = times(w.a, moved_mean(a, to)) + times(w.b, moved_mean(b, to));
    sums.missed = w.a * a.missed + w.b * b.missed;
    return sums;
}

fn finish(truth: Truth, sums: Sums) -> Row {
    let mass = select(given_mass(truth, sums), 1f, TEACHER_LOGITS);
    var row = row_of(sums.student, sums.teacher, mass, -mass, (sums.flags & BAD) != 0u);
    var mean = 0f;
    if (UNDER_P) {
        mean = sums.mean * row.teacher_inv_d + mass * log_ratio(-row.teacher_log_d, -row.student_log_d);
    } else {
        let own_mass = select(sums.given_q, 1f, STUDENT_LOGITS);
        mean = sums.mean * row.student_inv_d + own_mass * log_ratio(-row.teacher_log_d, -row.student_log_d);
        row.slopes = mean;
    }
    row.mean = mean;
    row.undefined = (sums.flags & UNDEFINED) != 0u;
    row.missed = sums.missed > 0f || (sums.flags & MISSES_NEGATIVE) != 0u;
    let infinite = select(0u, HAS_POS_INF, sums.missed > 0f)
        | select(0u, HAS_NEG_INF, (sums.flags & MISSES_NEGATIVE) != 0u);
    if (LOSS_FROM_GRADIENT_PASS) {
        mean = not_negative(mean, surplus(row));
    }
    row.value = select(bits_of(Total((mean + row.z) * params.scale, infinite)), NAN, row.poisoned || row.undefined);
    // Under Q an infinite mean is in every slope.
    row.poisoned |= row.missed && !UNDER_P;
    return row;
}

/// w dh/dlog q, or under Q, where w = q too, q h + q dh/dlog q; the last is q, which a softmax takes away again.
fn slope(c: Class) -> f32 {
    if (UNDER_P) {
        return -c.p;
    }
    return times(c.q, log_ratio(c.log_p, c.log_q) + select(1f, 0f, STUDENT_LOGITS));
}

/// A class's share of a divergence, plus the other distribution's mass there, less w.
fn divergence(c: Class) -> f32 {
    let u = -log_ratio(c.log_p, c.log_q);
    if (UNDER_P) {
        return gap(c.p, c.q, u);
    }
    return gap(c.q, c.p, u);
}

fn loss_term(row: Row, e: Element) -> f32 {
    return divergence(class_of(row, e));
}

/// sum of w less that of the other distribution, for logits of Q.
fn surplus(row: Row) -> f32 {
    if (UNDER_P) {
        return row.mass - 1f;
    }
    return 1f - row.mass;
}

/// A divergence without the cancellation of its terms.
fn value_of(row: Row, terms: f32) -> u32 {
    if (!LOSS_FROM_GRADIENT_PASS || row.missed || row.undefined || row.poisoned) {
        return row.value;
    }
    return bitcast<u32>((not_negative(terms + surplus(row), surplus(row)) + row.z) * params.scale);
}

fn with_terms(row: Row, terms: Terms) -> Row {
    var complete = row;
    complete.value = value_of(row, terms.loss);
    return complete;
}

/// By Gibbs' inequality a divergence is not negative unless w has less mass; masses within rounding count as equal.
fn not_negative(divergence: f32, surplus: f32) -> f32 {
    return select(divergence, max(divergence, 0f), surplus > -0x1p-20f);
}
