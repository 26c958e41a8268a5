//! Sizes that straddle the seams: tiles of four, lanes a row, the workgroup, blocks of 64 tiles, windows.
//!
//! Making a kernel takes far longer than launching it, and sizes share kernels: each loss goes through all of them.

use rstest::rstest;
use surprisal::Loss;

use super::super::check;
use crate::support::case::Case;
use crate::support::cases::{Batch, padded_by, representative_case, with_random_dloss};
use crate::support::device::{fresh_shapes, whose_turn};
use crate::support::losses::representatives;

/// Tests that the losses are dealt out to.
const PARTS: usize = 8;

/// Every loss of a part on these batches, on engines of its own: two batches near, two far, and so on, each on the next
/// kernel variant, every fourth in other shapes as well; another loss of the part begins elsewhere. The number beside a
/// batch, even or odd, says which of the losses have one output per row there, the others having the mean.
fn check_part(part: usize, batches: &[(Batch, usize)]) {
    for (i, loss) in representatives().iter().enumerate().skip(part).step_by(PARTS) {
        let (shapes, turn) = (fresh_shapes(), i / PARTS);
        for (b, &(batch, kind)) in batches.iter().enumerate() {
            let each = (turn + kind).is_multiple_of(2);
            let spread = (b + turn) / 2 % 2;
            let case = if spread == 0 { near(loss, batch, each) } else { far(loss, batch, each) };
            let others = shapes[1..].iter().filter(|_| (b + turn + 2 * spread).is_multiple_of(8));
            let others = others.flat_map(|engines| whose_turn(engines, turn / 2));
            check(whose_turn(&shapes[0], turn + b + spread).chain(others), &case);
        }
    }
}

fn near(loss: &Loss, batch: Batch, each: bool) -> Case {
    representative_case(loss, batch.deviation(3.0), each)
}

/// Logits that spread so that most probabilities underflow, in padded rows that the same kernels read.
fn far(loss: &Loss, batch: Batch, each: bool) -> Case {
    let padding = if batch.n_classes.is_multiple_of(4) { [8, 4, 12] } else { [2, 1, 3] };
    let batch = Batch { n_rows: batch.n_rows.max(2), ..batch };
    padded_by(&with_random_dloss(&representative_case(loss, batch.deviation(30.0), each)), padding)
}

#[rstest]
fn every_loss_matches_the_oracle_at_many_numbers_of_classes(#[values(0, 1, 2, 3, 4, 5, 6, 7)] part: usize) {
    let sizes = [1, 2, 3, 4, 5, 31, 32, 33, 64, 65, 256, 257, 1023, 1024, 1025];
    check_part(part, &sizes.map(|n_classes| (Batch::new(3, n_classes), 0)));
}

/// A lane has one block of 64 tiles up to 65536 classes; the vocabularies are those of Llama 2 and GPT-2.
#[rstest]
fn every_loss_matches_the_oracle_in_long_rows(#[values(0, 1, 2, 3, 4, 5, 6, 7)] part: usize) {
    let sizes = [8191, 8192, 8193, 32_000, 50_257, 65_536, 65_541];
    check_part(part, &sizes.map(|n_classes| (Batch::new(1, n_classes), 1)));
}

/// Rows of 33 have two lanes, so that 128 fill a workgroup; shorter ones have one.
#[rstest]
fn every_loss_matches_the_oracle_at_many_numbers_of_rows(#[values(0, 1, 2, 3, 4, 5, 6, 7)] part: usize) {
    let sizes = [1, 127, 128, 129, 256, 257, 1000];
    let batches = [3, 33].map(|n_classes| sizes.map(|n_rows| (Batch::new(n_rows, n_classes), n_classes / 33)));
    check_part(part, batches.as_flattened());
}
