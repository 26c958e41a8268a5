//! A loss that is a mean under P with one value per class, p h(log p, log q), and an upstream gradient g for each:
//!
//!     dx_j = (g_j slope_j - q_j sum_c g_c slope_c)/T for logits,    g_j slope_j for log-probabilities
//!
//! The values need both normalisers, and the gradient a sum over g, which is unknown to a forward pass: the slopes it
//! saves are 0.

const TEACHER_GRADIENT: bool = false;

fn slope(c: Class) -> f32 {
    return -c.p;
}

/// What is known of a row once g has come.
fn with_terms(row: Row, terms: Terms) -> Row {
    var complete = row;
    complete.slopes = terms.slopes;
    return complete;
}
