//! Losses in mixes of storage against the oracle.

use rstest::rstest;
use surprisal::{Engine, Pass, Storage};

use super::super::{MIXES, Mix, PASSES, in_turn, is_typical, mixed_cases};
use crate::losses::check;
use crate::support::case::Case;
use crate::support::cases::{Batch, padded, padded_by, representative_cases, with_random_dloss};
use crate::support::compare::assert_matches;
use crate::support::device::fresh_engines;

fn check_in_turn(engines: &[(String, Engine)], cases: &[Case], first: usize) {
    in_turn(engines, cases, first).for_each(|(engine, case)| check([engine].into_iter(), case));
}

/// Each loss in one or two of three mixes which have each kind of each tensor; neighbours in the list in the others.
#[rstest]
fn every_loss_in_every_storage_matches_the_oracle(#[values(0, 1, 2, 3, 4, 5, 6, 7, 8)] mix: usize) {
    let batches = [Batch::new(3, 33), Batch::new(3, 8)];
    let cases: [Vec<Case>; 2] = batches.map(|batch| representative_cases(batch.deviation(3.0), mix / 3));
    let in_mix = (0..cases[0].len()).filter(|i| i % 3 == mix % 3 && (i / 3 + mix / 3).is_multiple_of(2));
    let cases: Vec<_> =
        in_mix.map(|i| MIXES[mix].stored(&with_random_dloss(&cases[(i / 6 + mix / 3) % 2][i]))).collect();
    check_in_turn(&fresh_engines(false), &cases, mix);
}

#[rstest]
fn every_loss_matches_the_oracle_at_this_many_classes(#[values(1, 2, 3, 33, 257, 1028)] n_classes: usize) {
    let mut cases = mixed_cases(Batch::new(3, n_classes).deviation(3.0), n_classes / 2);
    for case in cases.iter_mut().skip(n_classes % 2).step_by(4) {
        *case = padded(&with_random_dloss(case));
    }
    let cases: Vec<_> = cases.into_iter().skip(n_classes % 2).step_by(2).collect();
    check_in_turn(&fresh_engines(false), &cases, n_classes / 3);
}

#[rstest]
fn every_loss_matches_the_oracle_in_rows_padded_by_multiples_of_four(#[values(4, 256)] n_classes: usize) {
    let cases = mixed_cases(Batch::new(3, n_classes).deviation(3.0), n_classes / 128);
    let cases = cases.iter().skip(n_classes / 256).step_by(2);
    let cases: Vec<_> = cases.map(|case| padded_by(case, [8, 4, 12])).collect();
    check_in_turn(&fresh_engines(false), &cases, 1);
}

/// The vocabularies of GPT-2 and Llama 2.
#[rstest]
fn long_rows_match_the_oracle(
    #[values(50_257, 32_000)] n_classes: usize,
    #[values(Storage::Bf16, Storage::F16)] storage: Storage,
) {
    let cases = representative_cases(Batch::new(3, n_classes).deviation(3.0), 0);
    let typical = cases.iter().filter(|case| is_typical(&case.loss)).step_by(2);
    let cases: Vec<_> = typical.map(|case| Mix(storage, storage, storage).stored(case)).collect();
    check_in_turn(&fresh_engines(false), &cases, n_classes);
}

#[test]
fn kernels_with_run_time_checks_match_the_oracle() {
    for (i, batch) in [Batch::new(5, 7), Batch::new(5, 8), Batch::new(3, 1025)].into_iter().enumerate() {
        let cases: Vec<_> = mixed_cases(batch, i).iter().skip(i).step_by(3).map(with_random_dloss).collect();
        let cases: Vec<_> = cases.iter().map(|case| padded_by(case, [4, 8, 12])).collect();
        check_in_turn(&fresh_engines(true), &cases, i);
    }
}

/// The CPU engine rounds as a device does.
#[test]
fn the_cpu_engine_gives_numbers_that_can_be_stored() {
    for mix in MIXES {
        for case in representative_cases(Batch::new(3, 7).deviation(3.0), 0).iter().map(|case| mix.stored(case)) {
            let mut saved = None;
            for pass in PASSES {
                let mut inputs = case.inputs();
                inputs.dloss = inputs.dloss.filter(|_| pass != Pass::Forward);
                inputs.row_state = saved.as_deref().filter(|_| pass == Pass::Backward);
                let output = Engine::cpu().evaluate(&case.loss, pass, case.shape, inputs).expect("the case is sound");
                let stays = |x: &f32, storage: Storage| x.is_nan() || storage.round(f64::from(*x)) == *x;
                assert!(output.dlogits.iter().flatten().all(|x| stays(x, mix.1)), "{pass:?} of {}", case.name);
                if case.has_values_per_element() {
                    assert!(output.values.iter().all(|x| stays(x, mix.2)), "{pass:?} of {}", case.name);
                }
                if pass == Pass::ForwardBackward {
                    assert_matches(&case.name, &case, &output, &case.evaluate(pass));
                }
                saved = saved.or(output.row_state);
            }
        }
    }
}
