//! Sizes that straddle the seams: tiles of four, lanes a row, the workgroup, blocks of 64 tiles, windows.

use rstest::rstest;

use super::check_all;
use crate::support::cases::{Batch, padded, padded_by, representative_cases, with_random_dloss};

/// At a deviation of 30 most probabilities underflow; every second loss has such logits at a size.
#[rstest]
fn every_loss_matches_the_oracle_at_this_many_classes(
    #[values(1, 2, 3, 4, 5, 31, 32, 33, 64, 65, 256, 257, 1023, 1024, 1025)] n_classes: usize,
) {
    let cases = representative_cases(Batch::new(3, n_classes).deviation(3.0), n_classes);
    let far = representative_cases(Batch::new(3, n_classes).deviation(30.0), n_classes);
    let far = far.iter().skip(n_classes % 2).step_by(2).map(|case| padded(&with_random_dloss(case)));
    check_all(false, cases.into_iter().chain(far));
}

/// 128-bit loads from rows that do not follow each other.
#[rstest]
fn every_loss_matches_the_oracle_in_rows_padded_by_multiples_of_four(#[values(4, 64, 256, 1024)] n_classes: usize) {
    let cases = representative_cases(Batch::new(3, n_classes).deviation(3.0), n_classes);
    check_all(false, cases.iter().map(|case| padded_by(case, [8, 4, 12])));
}

/// A lane has one block of 64 tiles up to 65536 classes; the vocabularies are those of Llama 2 and GPT-2.
#[rstest]
fn every_loss_matches_the_oracle_in_long_rows(
    #[values(8191, 8192, 8193, 32_000, 50_257, 65_536, 65_541)] n_classes: usize,
) {
    let cases = representative_cases(Batch::new(1, n_classes).deviation(3.0), 0);
    let far = representative_cases(Batch::new(2, n_classes).deviation(30.0), 0);
    check_all(false, cases.into_iter().chain(far.iter().step_by(4).map(padded)));
}

/// Rows of 33 have two lanes, so that 128 fill a workgroup; shorter ones have one.
#[rstest]
fn every_loss_matches_the_oracle_at_many_numbers_of_rows(#[values(3, 33)] n_classes: usize) {
    let sizes = [1, 127, 128, 129, 256, 257, 1000];
    let batches = sizes.map(|n_rows| representative_cases(Batch::new(n_rows, n_classes).deviation(3.0), n_rows));
    // A loss in all sizes, then the next: sizes share its kernels.
    check_all(false, (0..batches[0].len()).flat_map(|i| batches.each_ref().map(|cases| cases[i].clone())));
}
