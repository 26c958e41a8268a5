//! Divisors that only the device knows.

use rstest::rstest;
use surprisal::{
    CrossEntropy, Form, KlDivergence, Loss, Output, Pass, Reduction, RowWeights, SoftCrossEntropy, SoftmaxFocal,
};

use crate::support::cases::{Batch, random_case};
use crate::support::compare::assert_matches;
use crate::support::device::gpus;
use crate::support::spec::with_reduction;
use crate::support::staged::{APART, ARENA, run};

const WEIGHTS: [f32; 3] = [0.3, 1.7, 0.9];

fn floats(words: &[u32]) -> Vec<f32> {
    words.iter().copied().map(f32::from_bits).collect()
}

/// Labels and row weights are counted by 16 a lane; more than 64 partial counts are summed before use.
#[rstest]
#[case(CrossEntropy::new().ignore_index(-100))]
#[case(CrossEntropy::new().class_weights(WEIGHTS))]
#[case(CrossEntropy::new().ignore_index(1).class_weights(WEIGHTS).label_smoothing(0.125))]
#[case(SoftmaxFocal::new(2.0).ignore_index(-100))]
#[case(SoftmaxFocal::new(2.0).row_weights(RowWeights::Mask))]
#[case(CrossEntropy::new().class_weights(WEIGHTS).row_weights(RowWeights::Count).z_loss(0.5).poly1(0.5))]
#[case(SoftCrossEntropy::new().row_weights(RowWeights::Mask))]
#[case(KlDivergence::from_logits(Form::Logits).row_weights(RowWeights::Count))]
fn counted_rows_divide_as_in_the_oracle(#[case] loss: impl Into<Loss>) {
    let (loss, reductions) = (loss.into(), [Reduction::Mean, Reduction::SumDividedByInput]);
    let engines: Vec<_> = gpus().collect();
    let sizes = [1, 2, 511, 513, 4097, 300_000];
    let batches = reductions.into_iter().flat_map(|reduction| sizes.map(|n_rows| (reduction, Batch::new(n_rows, 3))));
    for (turn, (reduction, batch)) in batches.enumerate() {
        let case = random_case(with_reduction(&loss, reduction), batch);
        let oracle = case.evaluate(Pass::ForwardBackward);
        for (i, engine) in engines.iter().enumerate() {
            let layout = [APART, ARENA.shift(1)][(turn + i) % 2];
            let bits = run(engine, &case, Pass::ForwardBackward, layout, &[]);
            let mut found = Output::from(oracle.clone());
            (found.values, found.dlogits) = (floats(&bits.values), Some(floats(&bits.dlogits)));
            assert_matches(&format!("{} on {}", case.name, engine.backend()), &case, &found, &oracle);
        }
    }
}
