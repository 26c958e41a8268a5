//! Side outputs where rows tie, are masked, do not count or have no value.

use surprisal::{CrossEntropy, Pass, RowWeights, Side, SideOutputs};

use super::evaluate;
use crate::losses;
use crate::support::case::{Case, case};
use crate::support::cases::{Batch, random_case};
use crate::support::device::{every_engine, variants};

const NEG_INF: f32 = f32::NEG_INFINITY;
const N_CLASSES: usize = 5;

/// Ties, masks, a masked target, the usual mask that is a number; a row that is ignored, one of weight 0, one without a
/// value.
const ROWS: [([f32; N_CLASSES], i32); 8] = [
    ([1.0, 3.0, 3.0, 0.0, 3.0], 2),
    ([NEG_INF, NEG_INF, -2.0, -2.0, NEG_INF], 3),
    ([NEG_INF, 0.5, 1.0, 2.0, 3.0], 0),
    ([f32::MIN; N_CLASSES], 4),
    ([f32::MIN, f32::MIN, NEG_INF, NEG_INF, NEG_INF], 2),
    ([f32::NAN; N_CLASSES], -100),
    ([9.0, f32::NAN, 1.0, 1.0, 1.0], 0),
    ([9.0, f32::NAN, 1.0, 1.0, 1.0], 0),
];
const WEIGHTS: [f32; 8] = [1.0, 2.0, 1.0, -1.0, 1.0, 1.0, 0.0, 1.0];

fn wanted() -> Side {
    Side::new().log_prob().argmax().top_1().top_k(3)
}

fn side(case: &Case, engine: &surprisal::Engine) -> SideOutputs {
    evaluate(engine, case, Pass::ForwardBackward).side.expect("side outputs were asked for")
}

#[test]
fn ties_masks_and_silent_rows_have_the_side_outputs_of_the_table() {
    let logits = ROWS.map(|(row, _)| row).concat();
    let loss = CrossEntropy::new().ignore_index(-100).row_weights(RowWeights::Scale).side(wanted());
    let case = case(loss, N_CLASSES, &logits).labels(&ROWS.map(|(_, label)| label)).row_weights(&WEIGHTS);
    for (name, engine) in every_engine() {
        let found = side(&case, engine);
        assert_eq!(found.argmax, Some(vec![1, 2, 4, 0, 0, 0, 0, u32::MAX]), "{name}");
        let flags = |hits: [f32; 7], column: Option<Vec<f32>>| {
            let column = column.expect("hits were asked for");
            assert_eq!(column[..7], hits, "{name}");
            assert!(column[7].is_nan(), "{name}: {column:?}");
        };
        flags([1.0, 1.0, 0.0, 1.0, 0.0, 0.0, 0.0], found.top_1);
        flags([1.0, 1.0, 0.0, 1.0, 1.0, 0.0, 0.0], found.top_k);
        let log_prob = found.log_prob.expect("log_prob was asked for");
        assert_eq!((log_prob[2], log_prob[4]), (NEG_INF, NEG_INF), "{name}");
        assert_eq!(log_prob[5..7], [0.0, 0.0], "{name}");
        assert!(log_prob[7].is_nan(), "{name}: {log_prob:?}");
    }
}

/// Lanes meet in an order of their own; the first of equals is the first all the same.
#[test]
fn the_argmax_is_the_first_of_equals_in_long_rows() {
    for n_classes in [33, 257, 1025, 8193] {
        for first in [0, 1, 30, n_classes / 2, n_classes - 2] {
            let mut logits = vec![0.5; n_classes];
            logits[first] = 2.0;
            logits[n_classes - 1] = 2.0;
            let case = case(CrossEntropy::new().side(wanted()), n_classes, &logits).labels(&[n_classes as i32 - 1]);
            for (name, engine) in every_engine() {
                let found = side(&case, engine);
                assert_eq!(found.argmax, Some(vec![first as u32]), "{name}: {n_classes} classes");
                assert_eq!(found.top_1, Some(vec![1.0]), "{name}: {n_classes} classes");
            }
        }
    }
}

/// More rows than a workgroup sums: each column has several sums of its own first.
#[test]
fn means_over_many_rows_are_those_of_the_oracle() {
    let side = Side::new().lse().entropy().top_1().mean();
    let loss = CrossEntropy::new().ignore_index(1).side(side);
    losses::check(variants(), &random_case(loss.into(), Batch::new(70_000, 2)));
}
