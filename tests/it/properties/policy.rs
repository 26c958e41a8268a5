//! The mean over nothing, as the policy has it; its gradient is 0 either way.

use surprisal::{CrossEntropy, EmptyMean, Pass, Policy, Reduction, RowWeights, Side};

use super::evaluate;
use crate::support::case::{Case, case};
use crate::support::device::every_engine;

const LOGITS: [f32; 6] = [0.5, -1.0, 2.0, 0.25, 3.0, -2.0];

/// No rows, none that counts, weights that cancel, a divisor of 0.
fn over_nothing() -> Vec<Case> {
    let ce = CrossEntropy::new;
    let side = Side::new().entropy().mean();
    vec![
        case(ce(), 3, &[]).labels(&[]),
        case(ce().ignore_index(1).side(side), 3, &LOGITS).labels(&[1, 1]),
        case(ce().row_weights(RowWeights::Mask), 3, &LOGITS).labels(&[0, 1]).row_weights(&[0.0, 0.0]),
        case(ce().row_weights(RowWeights::Count), 3, &LOGITS).labels(&[0, 1]).row_weights(&[2.0, -2.0]),
        case(ce().class_weights([1.0, -1.0, 0.0]), 3, &LOGITS).labels(&[0, 1]),
        case(ce().reduction(Reduction::SumDividedBy(0.0)), 3, &LOGITS).labels(&[0, 1]),
    ]
}

#[test]
fn the_mean_over_nothing_is_nan_or_zero_by_policy() {
    for (name, engine) in every_engine() {
        for case in over_nothing() {
            for (empty_mean, is_expected) in
                [(EmptyMean::Nan, f32::is_nan as fn(f32) -> bool), (EmptyMean::Zero, |x| x == 0.0)]
            {
                let engine = engine.clone().policy(Policy::new().empty_mean(empty_mean));
                let found = evaluate(&engine, &case, Pass::ForwardBackward);
                assert!(is_expected(found.values[0]), "{name}: {} is {:?}", case.name, found.values);
                let side = found.side.and_then(|side| side.entropy).unwrap_or_default();
                assert!(side.iter().all(|&mean| is_expected(mean)), "{name}: {} has {side:?}", case.name);
                assert!(found.dlogits.iter().flatten().all(|&g| g == 0.0), "{name}: {}", case.name);
            }
        }
    }
}

/// A row without a value is not hidden.
#[test]
fn a_poisoned_row_makes_the_mean_over_nothing_nan() {
    let logits = [f32::NAN, 0.0, 1.0, 0.5, 1.0, 2.0];
    let case = case(CrossEntropy::new().reduction(Reduction::SumDividedBy(0.0)), 3, &logits).labels(&[0, 1]);
    for (name, engine) in every_engine() {
        let engine = engine.clone().policy(Policy::new().empty_mean(EmptyMean::Zero));
        assert!(evaluate(&engine, &case, Pass::Forward).values[0].is_nan(), "{name}");
    }
}
