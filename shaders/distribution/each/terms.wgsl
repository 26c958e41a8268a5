//! A loss that is a mean under P with one value per class, p h(log p, log q), and an upstream gradient g for each:
//!
//!     dx_j = (g_j slope_j - q_j sum_c g_c slope_c)/T for logits,    g_j slope_j for log-probabilities
//!
//! The values need both normalisers, and the gradient a sum over g: one more read each way.

/// Until g is known they count as 0.
const SLOPES_KNOWN: bool = false;
const TEACHER_GRADIENT: bool = false;

fn push_mean(s: Sums, to: Sums, p: Step, q: Step, e: Element) -> Sums {
    return to;
}

fn join_mean(a: Sums, b: Sums, to: Sums, p: Join, q: Join) -> Sums {
    return to;
}

fn slope(c: Class) -> f32 {
    return -c.p;
}

fn normalised_row(sums: Sums) -> Row {
    return row_of(sums.student, sums.teacher, sums.given_p, 0f, (sums.flags & BAD) != 0u);
}
