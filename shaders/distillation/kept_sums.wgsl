//! What is kept of a row from one window of its classes to the next.

fn kept_sums(truth: Truth, sums: Sums) -> Sums {
    return Sums(sums.hard, soft_kept_sums(truth.soft, sums.soft));
}
