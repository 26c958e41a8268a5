//! Sizes that straddle the seams: tiles of four, lanes a row, the workgroup, blocks of 64 tiles, windows.

use rstest::rstest;

use super::check_all;
use crate::support::cases::{Batch, padded, padded_by, representative_cases, with_random_dloss};

/// What happens at a seam is its family's and not the loss's: at neighbouring sizes the losses take turns. At a deviation
/// of 30 most probabilities underflow; every fourth loss has such logits too.
fn check_at(n_rows: usize, n_classes: usize, turn: usize) {
    let in_turn = |n_rows, deviation, kind, step| {
        let cases = representative_cases(Batch::new(n_rows, n_classes).deviation(deviation), kind);
        cases.into_iter().skip(turn).step_by(step)
    };
    let far = in_turn(n_rows.max(2), 30.0, n_classes, 4).map(|case| padded(&with_random_dloss(&case)));
    check_all(false, in_turn(n_rows, 3.0, n_classes + turn, 2).chain(far));
}

#[rstest]
fn even_losses_match_the_oracle_at_this_many_classes(#[values(1, 3, 5, 32, 64, 256, 1023, 1025)] n_classes: usize) {
    check_at(3, n_classes, 0);
}

#[rstest]
fn odd_losses_match_the_oracle_at_this_many_classes(#[values(2, 4, 31, 33, 65, 257, 1024)] n_classes: usize) {
    check_at(3, n_classes, 1);
}

/// 128-bit loads from rows that do not follow each other.
#[rstest]
fn every_loss_matches_the_oracle_in_rows_padded_by_multiples_of_four(
    #[values([4, 64], [256, 1024])] sizes: [usize; 2],
) {
    for (turn, n_classes) in sizes.into_iter().enumerate() {
        let cases = representative_cases(Batch::new(3, n_classes).deviation(3.0), n_classes / 64);
        check_all(false, cases.iter().skip(turn).step_by(2).map(|case| padded_by(case, [8, 4, 12])));
    }
}

/// A lane has one block of 64 tiles up to 65536 classes; the vocabularies are those of Llama 2 and GPT-2.
#[rstest]
fn even_losses_match_the_oracle_in_long_rows(#[values(8191, 8193, 50_257, 65_541)] n_classes: usize) {
    check_at(1, n_classes, 0);
}

#[rstest]
fn odd_losses_match_the_oracle_in_long_rows(#[values(8192, 32_000, 65_536)] n_classes: usize) {
    check_at(1, n_classes, 1);
}

/// Rows of 33 have two lanes, so that 128 fill a workgroup; shorter ones have one.
#[rstest]
fn every_loss_matches_the_oracle_at_many_numbers_of_rows(#[values(3, 33)] n_classes: usize) {
    let sizes = [1, 127, 128, 129, 256, 257, 1000];
    let batches = sizes.map(|n_rows| representative_cases(Batch::new(n_rows, n_classes).deviation(3.0), n_rows));
    // A loss in all sizes, then the next: sizes share its kernels.
    check_all(false, (0..batches[0].len()).flat_map(|i| batches.each_ref().map(|cases| cases[i].clone())));
}
