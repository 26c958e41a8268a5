//! One binding, many recordings; what may be left out; what comes from buffers.

use surprisal::{CrossEntropy, Error, GpuEngine, KlDivergence, Loss, Pass, Reduction, SigmoidFocal, wgpu};

use crate::support::case::Case;
use crate::support::cases::{Batch, random_case, representative_cases, with_random_dloss};
use crate::support::device::{default_gpus, whose_turn};
use crate::support::spec::with_reduction;
use crate::support::staged::{APART, ARENA, Staged, bind, plan, run, saved_state};

/// `Mean` over counted targets has the most dispatches: count, rows, sum. Pairs of losses go to the engines in turn: how
/// often what is bound is recorded is no kernel's concern.
fn cases() -> Vec<(&'static GpuEngine, Case)> {
    let engines: Vec<_> = default_gpus().collect();
    let cases = representative_cases(Batch::new(300, 5), 1).into_iter().enumerate();
    cases
        .flat_map(|(i, case)| whose_turn(&engines, i / 2).map(move |engine| (*engine, with_random_dloss(&case))))
        .collect()
}

#[test]
fn a_binding_may_be_recorded_many_times() {
    for (engine, case) in cases() {
        for pass in [Pass::Forward, Pass::ForwardBackward, Pass::Backward] {
            let staged = Staged::new(engine, &case, pass, APART, &saved_state(engine, &case, pass));
            let bound = bind(&plan(engine, &case, pass), &staged);
            staged.submit(|encoder| bound.record(encoder));
            let first = staged.read();
            staged.reset();
            staged.submit(|encoder| (0..3).for_each(|_| bound.record(encoder)));
            staged.submit(|encoder| bound.record(encoder));
            assert_eq!(staged.read(), first, "{pass:?} of {}", case.name);
        }
    }
}

/// Two losses in one pass of the app's, with nothing between their dispatches.
#[test]
fn recording_into_a_pass_gives_the_bits_of_a_pass_of_its_own() {
    for pair in cases().chunks_exact(2) {
        let fused = Pass::ForwardBackward;
        let staged: Vec<_> = pair.iter().map(|(engine, case)| Staged::new(engine, case, fused, ARENA, &[])).collect();
        let bound: Vec<_> =
            pair.iter().zip(&staged).map(|((engine, case), s)| bind(&plan(engine, case, fused), s)).collect();
        staged[0].submit(|encoder| {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
            bound.iter().for_each(|bound| bound.record_in(&mut pass));
        });
        for ((engine, case), staged) in pair.iter().zip(&staged) {
            assert_eq!(staged.read(), run(engine, case, fused, ARENA, &[]), "{}", case.name);
        }
    }
}

/// The gradient starts from what the dispatches before it wrote: the barriers between them are wgpu's.
#[test]
fn a_backward_pass_may_follow_its_forward_pass_in_one_submission() {
    for (engine, case) in cases() {
        let state = saved_state(engine, &case, Pass::Backward);
        if state.is_empty() {
            continue;
        }
        let expected = run(engine, &case, Pass::Backward, APART, &state);
        let forward = Staged::new(engine, &case, Pass::Forward, APART, &[]);
        let backward = Staged::new(engine, &case, Pass::Backward, APART, &vec![0; state.len()]);
        let first = bind(&plan(engine, &case, Pass::Forward), &forward);
        let shared = backward.buffers().row_state(forward.row_state());
        let second = plan(engine, &case, Pass::Backward).bind(&shared).expect("the state is a slice like any other");
        forward.submit(|encoder| {
            first.record(encoder);
            second.record(encoder);
        });
        assert_eq!(backward.read(), expected, "{}", case.name);
    }
}

/// What goes wrong where a gradient silently takes the place of the logits, and a second backward pass, or anybody else,
/// reads it as such: here it has a slice of its own, or is asked for in so many words.
#[test]
fn a_backward_pass_that_runs_twice_gives_the_same_gradient_twice() {
    for (engine, case) in cases() {
        let state = saved_state(engine, &case, Pass::Backward);
        let expected = run(engine, &case, Pass::Backward, APART, &state);
        let staged = Staged::new(engine, &case, Pass::Backward, APART, &state);
        let bound = bind(&plan(engine, &case, Pass::Backward), &staged);
        staged.submit(|encoder| (0..2).for_each(|_| bound.record(encoder)));
        assert_eq!(staged.read(), expected, "{}", case.name);
        let (plan, buffers) = (plan(engine, &case, Pass::Backward), staged.buffers());
        let over_logits = plan.bind(&buffers.dlogits(staged.logits())).expect_err("nobody asked for that");
        assert_eq!(over_logits, Error::Overlap { written: "dlogits", other: "logits" }, "{}", case.name);
    }
}

#[test]
fn a_forward_pass_may_keep_its_row_state_to_itself() {
    for (engine, case) in cases() {
        let expected = run(engine, &case, Pass::Forward, APART, &[]);
        let staged = Staged::without_row_state(engine, &case);
        let bound = bind(&plan(engine, &case, Pass::Forward), &staged);
        staged.submit(|encoder| bound.record(encoder));
        let found = staged.read();
        assert_eq!((found.values, found.row_state), (expected.values, Vec::new()), "{}", case.name);
    }
}

/// Division by a power of two is exact: 8 from a buffer, or the plain sum and its gradient divided on the host.
#[test]
fn a_divisor_in_a_buffer_divides_loss_and_gradient() {
    let losses: [Loss; 3] = [
        CrossEntropy::new().into(),
        KlDivergence::from_logits(surprisal::Form::Logits).into(),
        SigmoidFocal::new(2.0).into(),
    ];
    let eighth = |words: &[u32]| words.iter().map(|&bits| (f32::from_bits(bits) / 8.0).to_bits()).collect::<Vec<_>>();
    for engine in default_gpus() {
        for loss in &losses {
            let case = |reduction| random_case(with_reduction(loss, reduction), Batch::new(300, 5));
            let divided = Case { divisor: Some(8.0), ..case(Reduction::SumDividedByInput) };
            for layout in [APART, ARENA.shift(1)] {
                let sum = run(engine, &case(Reduction::Sum), Pass::ForwardBackward, layout, &[]);
                let found = run(engine, &divided, Pass::ForwardBackward, layout, &[]);
                assert_eq!(found.values, eighth(&sum.values), "{layout:?}, {}", divided.name);
                assert_eq!(found.dlogits, eighth(&sum.dlogits), "{layout:?}, {}", divided.name);
            }
        }
    }
}
