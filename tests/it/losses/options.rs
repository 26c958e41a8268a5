//! Every option that changes a kernel, on five rows of six classes.

use super::check_all;
use crate::support::cases::{Batch, cases, padded, padded_by, representative_cases, with_random_dloss};
use crate::support::losses::all;

#[test]
fn every_loss_matches_the_oracle() {
    check_all(false, cases(&all()));
}

#[test]
fn every_loss_matches_the_oracle_in_padded_rows_with_upstream_gradient() {
    check_all(false, cases(&all()).iter().map(|case| padded(&with_random_dloss(case))));
}

/// The checks find an index out of range where they change a result; without them nobody would.
#[test]
fn kernels_with_run_time_checks_match_the_oracle() {
    for batch in [Batch::new(5, 6), Batch::new(5, 8), Batch::new(3, 1025)] {
        let cases = representative_cases(batch, 0);
        let padded = cases.iter().map(|case| padded_by(&with_random_dloss(case), [4, 8, 12]));
        check_all(true, cases.iter().cloned().chain(padded));
    }
}
