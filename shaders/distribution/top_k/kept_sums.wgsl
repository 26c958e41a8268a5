//! What is kept of a row from one window of its classes to the next. Means move with the mass of the classes so far; in
//! the end it is that of the slots.

fn kept_sums(truth: Truth, sums: Sums) -> Sums {
    var kept = sums;
    if (params.end_class == params.n_classes) {
        kept.given_p = truth.mass;
    }
    return kept;
}
