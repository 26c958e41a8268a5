//! Where slices lie changes no bit of a result, and nothing outside the results is written: [`Staged::read`] sees to
//! the latter, with guard words around every slice and poison where results are due.
//!
//! [`Staged::read`]: crate::support::staged::Staged::read

use rstest::rstest;
use surprisal::{Output, Pass};

use crate::support::case::Case;
use crate::support::cases::{Batch, padded, padded_by, representative_cases, with_random_dloss};
use crate::support::compare::side_words;
use crate::support::device::{fresh_engines, whose_turn};
use crate::support::staged::{APART, ARENA, Bits, Layout, run};

/// Tests that the cases are dealt out to.
const PARTS: usize = 4;
const PASSES: [Pass; 3] = [Pass::Forward, Pass::ForwardBackward, Pass::Backward];

/// Rows of odd length, of two losses in three; rows that 128-bit loads may read, of the third; and rows that many lanes
/// share, of every third: where a slice lies is the plan's concern and not a loss's.
fn cases() -> Vec<Case> {
    let odd = representative_cases(Batch::new(5, 6), 0);
    let odd = odd.iter().enumerate().filter(|(i, _)| !i.is_multiple_of(3));
    let odd: Vec<_> = odd.map(|(_, case)| padded(&with_random_dloss(case))).collect();
    let quads = representative_cases(Batch::new(5, 8), 1);
    let quads = quads.iter().step_by(3).map(|case| padded_by(&with_random_dloss(case), [4, 8, 12])).collect();
    let wide = representative_cases(Batch::new(3, 1028), 0).into_iter().skip(1).step_by(3).collect::<Vec<_>>();
    [odd, quads, wide].concat()
}

/// Slices that start elsewhere, where rows that 128-bit loads may read are read by 32-bit ones; slices of one buffer;
/// the gradient over the logits, whose stride it has then.
fn layouts(pass: Pass) -> Vec<Layout> {
    let mut layouts = vec![APART.shift(1), APART.shift(2), ARENA, ARENA.shift(1)];
    if pass != Pass::Forward {
        layouts.extend([APART, APART.shift(3), ARENA].map(Layout::in_place));
    }
    layouts
}

/// What is recorded for slices anywhere has the bits that evaluate gives for tensors of the host.
#[rstest]
fn where_slices_lie_changes_no_bit(#[values(0, 1, 2, 3)] part: usize) {
    let engines = fresh_engines(false);
    for (i, case) in cases().iter().enumerate().skip(part).step_by(PARTS) {
        for (name, engine) in whose_turn(&engines, i / PARTS) {
            let gpu = engine.gpu().expect("a GPU engine");
            let mut saved = Vec::new();
            for pass in PASSES {
                let state: Vec<f32> = saved.iter().map(|&bits| f32::from_bits(bits)).collect();
                let mut inputs = case.inputs();
                inputs.dloss = inputs.dloss.filter(|_| pass != Pass::Forward);
                inputs.row_state = Some(&state[..]).filter(|state| pass == Pass::Backward && !state.is_empty());
                let output = engine.evaluate(&case.loss, pass, case.shape, inputs).expect("the case is sound");
                let expected = bits(case, output);
                for layout in [APART].into_iter().chain(layouts(pass)) {
                    let found = run(gpu, case, pass, layout, &saved);
                    assert_eq!(found, expected, "{name}, {pass:?} of {} in {layout:?}", case.name);
                }
                saved = if pass == Pass::Forward { expected.row_state } else { saved };
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
            Some(parts) => output.values.iter().zip(parts).flat_map(|(&sum, [a, b, c])| [sum, a, b, c]).collect(),
        }),
        dlogits: unpadded(output.dlogits, stride),
        dtargets: unpadded(output.dtargets, case.shape.dtargets_stride),
        row_state: bits(output.row_state.unwrap_or_default()),
        side: output.side.map_or(Vec::new(), |side| side_words(&side)),
    }
}
