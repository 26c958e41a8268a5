//! Host tensors larger than a buffer go in several submissions, and nobody can tell.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use rstest::rstest;
use surprisal::{CrossEntropy, Engine, Error, GpuEngine, Output, Pass, Reduction};

use crate::losses;
use crate::support::case::Case;
use crate::support::cases::{
    Batch, cases_on, every_third, padded, random_case, representative_cases, with_random_dloss,
};
use crate::support::device::{default_gpus, whose_turn, with_limits};
use crate::support::losses::representatives;
use crate::support::planes::in_planes;

/// Engines whose buffers hold this many bytes.
fn with_buffers_of(bytes: u64) -> Vec<(String, Engine)> {
    let limited = with_limits(|limits| limits.max_buffer_size = bytes);
    limited.into_iter().map(|gpu| (format!("{} with buffers of {bytes} bytes", gpu.backend()), gpu.into())).collect()
}

/// Every representative in every reduction and with every kind of weights.
fn cases(batch: Batch) -> Vec<Case> {
    cases_on(&representatives(), batch)
}

/// The outputs of forward, forward + backward, and backward.
fn outputs(engine: &GpuEngine, case: &Case) -> [Output; 3] {
    let mut saved = None;
    [Pass::Forward, Pass::ForwardBackward, Pass::Backward].map(|pass| {
        let mut inputs = case.inputs();
        inputs.dloss = inputs.dloss.filter(|_| pass != Pass::Forward);
        inputs.row_state = saved.as_deref().filter(|_| pass == Pass::Backward);
        let output = engine.begin(&case.loss, pass, case.shape, inputs).and_then(|pending| pending.wait());
        let output = output.unwrap_or_else(|error| panic!("{pass:?} of {}: {error}", case.name));
        saved = saved.take().or(output.row_state.clone());
        output
    })
}

#[test]
fn a_future_of_several_runs_resolves_while_somebody_polls() {
    for (name, engine) in with_buffers_of(2048) {
        let case = random_case(CrossEntropy::new().reduction(Reduction::None).into(), Batch::new(40, 33));
        let begin = || engine.begin(&case.loss, Pass::ForwardBackward, case.shape, case.inputs());
        let mut pending = pin!(begin().unwrap_or_else(|error| panic!("{name}: {error}")));
        let polled = loop {
            engine.poll();
            if let Poll::Ready(output) = pending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                break output;
            }
        };
        assert_eq!(polled, begin().and_then(|pending| pending.wait()), "{name}");
    }
}

/// Its memory is still to be written when it is dropped: the next call, of the same sizes, gets other.
#[test]
fn a_call_that_nobody_waits_for_disturbs_no_other() {
    for (name, engine) in with_buffers_of(2048) {
        let case = random_case(CrossEntropy::new().into(), Batch::new(40, 33));
        let begin = || engine.begin(&case.loss, Pass::ForwardBackward, case.shape, case.inputs()).expect("as before");
        let expected = begin().wait();
        assert!(expected.is_ok(), "{name}: {expected:?}");
        drop(begin());
        assert_eq!(begin().wait(), expected, "{name}");
    }
}

/// 512 elements fit, and the values that come with them do not.
#[test]
fn a_row_larger_than_a_buffer_is_refused_with_numbers() {
    for (name, engine) in with_buffers_of(2048) {
        for (n_classes, found) in [(512, None), (513, Some(2052))] {
            let case = random_case(CrossEntropy::new().into(), Batch::new(2, n_classes));
            let output = engine.evaluate(&case.loss, Pass::Forward, case.shape, case.inputs());
            let expected = found.map(|found| Error::TooLarge { what: "bytes of one buffer", found, limit: 2048 });
            assert_eq!(output.err(), expected, "{name}: {n_classes} classes");
        }
    }
}

/// The whole table, where `cover` takes a pair of everything.
mod full {
    use super::*;

    /// 512 elements a buffer: runs of 15, 7, 2 and 128 rows, and of half as many where values and gradient go back
    /// together. Where a batch is cut depends on no kernel: one variant is enough for a case.
    #[test]
    fn every_reduction_matches_the_oracle_in_runs_of_rows() {
        let engines = with_buffers_of(2048);
        let batches = [Batch::new(20, 72), Batch::new(3, 250), Batch::new(300, 4)].into_iter().enumerate();
        let others = batches.flat_map(|(kind, batch)| representative_cases(batch, kind));
        let cases = cases(Batch::new(40, 33)).into_iter().chain(others);
        cases.enumerate().for_each(|(i, case)| losses::check(whose_turn(&engines, i), &case));
    }

    #[test]
    fn padded_rows_with_upstream_gradient_match_the_oracle_in_runs() {
        let engines = with_buffers_of(2048);
        for (kind, batch) in [Batch::new(40, 33), Batch::new(150, 5)].into_iter().enumerate() {
            for (i, case) in representative_cases(batch, kind).iter().enumerate() {
                losses::check(whose_turn(&engines, i), &padded(&with_random_dloss(case)));
            }
        }
    }

    /// Runs of whole slabs: 11 of logits, fewer where values and gradient go back together.
    #[test]
    fn planes_match_the_oracle_in_runs() {
        let engines = with_buffers_of(2048);
        for (i, case) in representative_cases(Batch::new(9 * 12, 5), 0).iter().enumerate() {
            let case = in_planes(&with_random_dloss(case), 9, [2, 1, 3]);
            losses::check(whose_turn(&engines, i), &case);
        }
    }

    /// A number divided by the whole batch's divisor may be off by the rounding of another order of summation; nothing else
    /// may be.
    #[rstest]
    #[case(0, Batch::new(40, 33))]
    #[case(1, Batch::new(150, 5))]
    #[case(2, Batch::new(20, 72))]
    fn runs_change_no_bit_of_a_row(#[case] third: usize, #[case] batch: Batch) {
        let limited = with_limits(|limits| limits.max_buffer_size = 2048);
        let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        for (turn, (full, limited)) in default_gpus().zip(&limited).enumerate() {
            let cases = [0, 1].into_iter().flat_map(|kind| every_third(representative_cases(batch, kind), third));
            let cases: Vec<_> = cases.collect();
            for case in cases.iter().skip(turn).step_by(2).map(|case| padded(&with_random_dloss(case))) {
                for (whole, cut) in outputs(full, &case).iter().zip(outputs(limited, &case)) {
                    let what = format!("{} on {}", case.name, limited.backend());
                    if whole.values.len() > 1 {
                        assert_eq!(bits(&cut.values), bits(&whole.values), "values of {what}");
                    }
                    for (cut, whole) in [(&cut.dlogits, &whole.dlogits), (&cut.row_state, &whole.row_state)] {
                        assert_eq!(cut.as_deref().map(bits), whole.as_deref().map(bits), "{what}");
                    }
                }
            }
        }
    }

    /// Bindings of 8 KiB in buffers of 16: windows of rows within runs of rows.
    #[test]
    fn runs_have_windows_of_their_own() {
        let limited = with_limits(|limits| {
            limits.max_buffer_size = 1 << 14;
            limits.max_storage_buffer_binding_size = 1 << 13;
        });
        let engines: Vec<_> =
            limited.into_iter().map(|gpu| ("windows in runs".to_string(), Engine::from(gpu))).collect();
        let cases = [0, 1].into_iter().flat_map(|kind| representative_cases(Batch::new(300, 33), kind));
        cases.enumerate().for_each(|(i, case)| losses::check(whose_turn(&engines, i), &case));
    }
}
