//! To the bit: what a kernel makes of 16-bit tensors is what it makes of the same numbers in f32, rounded where it is
//! stored; wherever the slices lie, and without a byte written that is no result.

use rstest::rstest;
use surprisal::half::{bf16, f16};
use surprisal::{CrossEntropy, Engine, GpuEngine, Loss, Pass, Reduction, Storage};

use super::super::{MIXES, Mix, PASSES, every_third, mixed_cases};
use crate::support::case::Case;
use crate::support::cases::{self, Batch, padded, padded_by, random_case, representative_cases, with_random_dloss};
use crate::support::device::{fresh_engines, gpus, whose_turn, with_limits};
use crate::support::planes::in_planes;
use crate::support::staged::{APART, ARENA, Bits, Layout, run, saved_state};
use crate::windows::full::assert_same_bits;

/// The bits of f32 as this storage has them.
fn narrowed(bits: &[u32], storage: Storage) -> Vec<u32> {
    let narrow = |&bits: &u32| match storage {
        Storage::F32 => bits,
        Storage::Bf16 => bf16::from_f32(f32::from_bits(bits)).to_bits().into(),
        Storage::F16 => f16::from_f32(f32::from_bits(bits)).to_bits().into(),
    };
    bits.iter().map(narrow).collect()
}

/// From the case's numbers in f32.
fn expected(engine: &GpuEngine, case: &Case, pass: Pass, saved: &[u32], in_place: bool) -> Bits {
    let shape = &case.shape;
    let Bits { values, dlogits, dtargets, row_state, side } = run(engine, &case.widened(), pass, APART, saved);
    let values_storage = if case.has_values_per_element() { shape.values_storage } else { Storage::F32 };
    let dlogits_storage = if in_place { shape.logits_storage } else { shape.dlogits_storage };
    Bits {
        values: narrowed(&values, values_storage),
        dlogits: narrowed(&dlogits, dlogits_storage),
        dtargets: narrowed(&dtargets, shape.dtargets_storage),
        row_state,
        side,
    }
}

fn gpu((_, engine): &(String, Engine)) -> &GpuEngine {
    engine.gpu().expect("engines under test are GPU engines")
}

/// Each pass in these layouts, and with the gradient in place.
pub fn check(engine: &GpuEngine, case: &Case, layouts: &[Layout]) {
    for pass in PASSES {
        let saved = saved_state(engine, &case.widened(), pass);
        for in_place in [false, true] {
            if in_place && pass == Pass::Forward {
                continue;
            }
            let expected = expected(engine, case, pass, &saved, in_place);
            for layout in layouts {
                let layout = if in_place { layout.in_place() } else { *layout };
                let found = run(engine, case, pass, layout, &saved);
                assert_eq!(found, expected, "{pass:?} of {} in {layout:?} on {}", case.name, engine.backend());
            }
        }
    }
}

/// Slices that start with a word, within a word, with others in their buffer, and with others in their words.
pub const LAYOUTS: [Layout; 6] = [
    APART,
    Layout { shift: 2, ..APART },
    Layout { odd: true, ..APART },
    Layout { shift: 1, ..ARENA },
    Layout { odd: true, shift: 1, ..ARENA },
    Layout { tight: true, odd: true, ..ARENA },
];

/// Odd rows side by side share a word every second row. What is loaded and stored how is a family's concern and its
/// tensors': here and below, losses take turns.
#[rstest]
fn storage_changes_no_bit_but_by_rounding(#[values(0, 1)] kind: usize, #[values(7, 8)] n_classes: usize) {
    let cases = mixed_cases(Batch::new(5, n_classes).deviation(3.0), kind + n_classes);
    let engines = fresh_engines(false);
    for (engine, case) in every_third(&engines, &cases, kind + n_classes) {
        check(gpu(engine), &with_random_dloss(case), &LAYOUTS);
    }
}

#[rstest]
fn storage_changes_no_bit_of_padded_rows(#[values([2, 1, 3], [1, 3, 2], [4, 8, 12])] padding: [usize; 3]) {
    let cases = mixed_cases(Batch::new(5, 8 - padding[0] % 2).deviation(3.0), padding[0]);
    let engines = fresh_engines(false);
    for (engine, case) in every_third(&engines, &cases, padding[0] + 1) {
        check(gpu(engine), &padded_by(&with_random_dloss(case), padding), &[APART.odd(), ARENA.tight()]);
    }
}

/// Rows side by side share words all the way.
#[rstest]
fn storage_changes_no_bit_of_planes(
    #[values((5, 3, APART.odd()), (4, 33, ARENA.odd().tight()))] (n_classes, inner, layout): (usize, usize, Layout),
) {
    let cases = mixed_cases(Batch::new(2 * inner, n_classes).deviation(3.0), inner);
    let engines = fresh_engines(false);
    for (engine, case) in every_third(&engines, &cases, n_classes) {
        let case = in_planes(&with_random_dloss(case), inner, [1, 3, 2]);
        check(gpu(engine), &case, &[layout]);
    }
}

/// Two lanes of a row meet in a word where the row starts in the middle of one.
#[test]
fn storage_changes_no_bit_of_rows_that_many_lanes_share() {
    let cases = mixed_cases(Batch::new(3, 1029).deviation(3.0), 1);
    let engines = fresh_engines(false);
    for (engine, case) in every_third(&engines, &cases, 2) {
        check(gpu(engine), case, &[APART, ARENA.odd().tight()]);
    }
}

/// GPT-2's vocabulary, the gradient over the logits: every bit of it, and none beside it.
#[rstest]
fn three_rows_of_50257_in_bf16_are_overwritten_bit_for_bit(
    #[values(APART, APART.odd(), ARENA.odd().tight())] layout: Layout,
) {
    let losses = [CrossEntropy::new(), CrossEntropy::new().ignore_index(1).reduction(Reduction::None)];
    for loss in losses {
        let case = random_case(loss.into(), Batch::new(3, 50_257).deviation(3.0));
        let case = Mix(Storage::Bf16, Storage::Bf16, Storage::Bf16).stored(&case);
        for engine in gpus() {
            check(engine, &case, &[layout]);
        }
    }
}

/// A row that has no value, one that has no gradient, and what is beyond f16.
#[test]
fn rows_without_a_value_leave_their_neighbours_alone() {
    let loss = CrossEntropy::new().ignore_index(-100).reduction(Reduction::None);
    for mix in MIXES {
        let mut case = random_case(loss.clone().into(), Batch::new(7, 5));
        (case.logits[7], case.logits[17], case.logits[28]) = (f32::NAN, f32::NEG_INFINITY, f32::INFINITY);
        case.labels.as_mut().expect("labels")[2] = -100;
        let case = mix.stored(&case.dloss(&[1.0, 1.0, 1.0, 1e38, 1e-38, -1.0, 7e4]));
        for engine in gpus() {
            check(engine, &case, &[APART, APART.odd()]);
        }
    }
}

/// 4 KiB a binding: windows that begin and end in the middle of a word.
#[test]
fn windows_change_no_bit() {
    let limited = with_limits(|limits| limits.max_storage_buffer_binding_size = 1 << 12);
    let by_row = |case: &Case| case.loss.reduction() != Some(Reduction::Mean);
    for (turn, batch) in [Batch::new(300, 5), Batch::new(60, 33), Batch::new(7, 1001)].into_iter().enumerate() {
        for kind in [0, 1] {
            let mut cases = cases::every_third(mixed_cases(batch, kind + batch.n_classes % 9), turn);
            cases.retain(by_row);
            assert_same_bits(&limited, &cases, APART.odd());
        }
    }
}

/// 128 KiB a binding: sums over the batch, in windows that are multiples of a workgroup's rows.
#[test]
fn wide_windows_change_no_bit() {
    let limited = with_limits(|limits| limits.max_storage_buffer_binding_size = 1 << 17);
    for (turn, batch) in [Batch::new(30_000, 5), Batch::new(5000, 33)].into_iter().enumerate() {
        let cases: Vec<_> = mixed_cases(batch, turn + 1).into_iter().skip(turn).step_by(2).collect();
        assert_same_bits(&limited, &cases, ARENA.odd());
    }
}

/// A class-index loss with a narrow row and a wide batch is where most lanes meet in words.
#[test]
fn many_short_rows_keep_their_bits() {
    let losses: [Loss; 2] = [CrossEntropy::new().into(), Loss::LogSoftmax];
    for engine in gpus() {
        for n_classes in [1, 2, 3, 5] {
            for (loss, mix) in losses.iter().zip(MIXES) {
                let case = mix.stored(&random_case(loss.clone(), Batch::new(1000, n_classes)));
                check(engine, &case, &[APART.odd()]);
                check(engine, &padded(&case), &[APART]);
            }
        }
    }
}

#[test]
fn reruns_agree_to_the_bit() {
    let engines: Vec<_> = gpus().collect();
    for (i, case) in representative_cases(Batch::new(600, 37), 0).iter().enumerate() {
        let case = MIXES[0].stored(case);
        for engine in whose_turn(&engines, i) {
            let [first, second] = [(); 2].map(|_| run(engine, &case, Pass::ForwardBackward, APART, &[]));
            assert_eq!(first, second, "{}", case.name);
        }
    }
}
