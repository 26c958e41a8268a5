//! Where slices lie changes no bit of a result, and nothing outside the results is written: [`Staged::read`] sees to
//! the latter, with guard words around every slice and poison where results are due.
//!
//! [`Staged::read`]: crate::support::staged::Staged::read

use surprisal::{GpuEngine, Output, Pass};

use crate::support::case::Case;
use crate::support::cases::{Batch, padded, padded_by, representative_cases, with_random_dloss};
use crate::support::compare::side_words;
use crate::support::device::fresh_engines;
use crate::support::staged::{APART, ARENA, Bits, Layout, run, saved_state};

const PASSES: [Pass; 3] = [Pass::Forward, Pass::ForwardBackward, Pass::Backward];

/// Rows of odd length; rows that 128-bit loads may read, of every second loss; and rows that many lanes share, of every
/// fourth: where a slice lies is the plan's concern and not a loss's, and pipelines are what takes the time.
fn batches() -> Vec<Case> {
    let odd = representative_cases(Batch::new(5, 6), 0);
    let odd: Vec<_> = odd.iter().map(|case| padded(&with_random_dloss(case))).collect();
    let quads = representative_cases(Batch::new(5, 8), 1);
    let quads = quads.iter().step_by(2).map(|case| padded_by(&with_random_dloss(case), [4, 8, 12])).collect();
    let wide = representative_cases(Batch::new(3, 1028), 0).into_iter().step_by(4).collect::<Vec<_>>();
    [odd, quads, wide].concat()
}

/// Each case in each pass, with the state that a backward pass starts from.
fn for_every_pass(check: impl Fn(&GpuEngine, &Case, Pass, &[u32])) {
    let engines = fresh_engines(false);
    for engine in engines.iter().filter_map(|(_, engine)| engine.gpu()) {
        for case in batches() {
            for pass in PASSES {
                check(engine, &case, pass, &saved_state(engine, &case, pass));
            }
        }
    }
}

#[track_caller]
fn assert_same(case: &Case, pass: Pass, layout: Layout, found: &Bits, expected: &Bits) {
    assert_eq!(found, expected, "{pass:?} of {} in {layout:?} against {APART:?}", case.name);
}

#[test]
fn recording_gives_the_bits_that_evaluate_gives() {
    for (name, engine) in &fresh_engines(false) {
        let gpu = engine.gpu().expect("a GPU engine");
        for case in batches() {
            let mut saved = Vec::new();
            for pass in PASSES {
                let state: Vec<f32> = saved.iter().map(|&bits| f32::from_bits(bits)).collect();
                let mut inputs = case.inputs();
                inputs.dloss = inputs.dloss.filter(|_| pass != Pass::Forward);
                inputs.row_state = Some(&state[..]).filter(|state| pass == Pass::Backward && !state.is_empty());
                let output = engine.evaluate(&case.loss, pass, case.shape, inputs).expect("the case is sound");
                let recorded = run(gpu, &case, pass, APART, &saved);
                assert_eq!(recorded, bits(&case, output), "{name}, {pass:?} of {}", case.name);
                saved = if pass == Pass::Forward { recorded.row_state } else { saved };
            }
        }
    }
}

fn bits(case: &Case, output: Output) -> Bits {
    let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect();
    let (stride, c) = (case.shape.dlogits_stride, case.shape.n_classes);
    let unpadded = |gradient: Option<Vec<f32>>, stride: usize| {
        bits(gradient.unwrap_or_default().chunks(stride).flat_map(|row| row[..c].to_vec()).collect())
    };
    Bits {
        values: bits(match output.parts {
            None => output.values,
            Some(parts) => output.values.iter().zip(parts).flat_map(|(&sum, [hard, soft])| [sum, hard, soft]).collect(),
        }),
        dlogits: unpadded(output.dlogits, stride),
        dtargets: unpadded(output.dtargets, case.shape.dtargets_stride),
        row_state: bits(output.row_state.unwrap_or_default()),
        side: output.side.map_or(Vec::new(), |side| side_words(&side)),
    }
}

/// Rows that 128-bit loads may read are read by 32-bit loads as soon as a slice starts elsewhere.
#[test]
fn the_offset_of_a_slice_changes_no_bit() {
    for_every_pass(|engine, case, pass, saved| {
        let aligned = run(engine, case, pass, APART, saved);
        for shift in [1, 2] {
            let layout = APART.shift(shift);
            assert_same(case, pass, layout, &run(engine, case, pass, layout, saved), &aligned);
        }
    });
}

#[test]
fn slices_of_one_buffer_give_the_bits_of_separate_buffers() {
    for_every_pass(|engine, case, pass, saved| {
        let apart = run(engine, case, pass, APART, saved);
        for layout in [ARENA, ARENA.shift(1)] {
            assert_same(case, pass, layout, &run(engine, case, pass, layout, saved), &apart);
        }
    });
}

/// In place the gradient has the stride of the logits.
#[test]
fn a_gradient_in_place_has_the_bits_of_a_separate_one() {
    for_every_pass(|engine, case, pass, saved| {
        if pass == Pass::Forward {
            return;
        }
        let separate = run(engine, case, pass, APART, saved);
        for layout in [APART, APART.shift(3), ARENA].map(Layout::in_place) {
            assert_same(case, pass, layout, &run(engine, case, pass, layout, saved), &separate);
        }
    });
}
