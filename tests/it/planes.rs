//! Batches `[outer, C, inner]`, the classes of a row apart: what is computed of them is what is computed of their rows.

use rstest::rstest;
use surprisal::reference::Real;
use surprisal::{BinaryCrossEntropy, CrossEntropy, Error, Form, KlDivergence, Pass, Reduction, RowWeights};

use crate::losses::check;
use crate::support::case::Case;
use crate::support::cases::{Batch, cases_on, every_third, random_case, representative_cases, with_random_dloss};
use crate::support::compare::assert_close;
use crate::support::device::{fresh_engines, whose_turn, with_limits};
use crate::support::losses::all;
use crate::support::planes::{in_planes, in_rows};
use crate::support::staged::{APART, ARENA, Bits, Layout, Staged, plan, run, saved_state};
use crate::windows::full::assert_same_bits;

const PASSES: [Pass; 3] = [Pass::Forward, Pass::ForwardBackward, Pass::Backward];

fn by_row(case: &Case) -> bool {
    case.loss.reduction() != Some(Reduction::Mean)
}

/// The f64 oracle, which PyTorch's numbers hold in rows, has the same numbers in planes. A batch mean is over images.
#[test]
fn the_oracle_of_planes_is_that_of_their_rows() {
    let bits = |reals: &[Real]| reals.iter().map(|real| real.value.to_bits()).collect::<Vec<_>>();
    for rows in cases_on(&all(), Batch::new(6, 5)).iter().map(with_random_dloss) {
        if rows.loss.reduction() == Some(Reduction::BatchMean) {
            continue;
        }
        let planes = in_planes(&rows, 3, [0; 3]);
        for pass in PASSES {
            let evaluate = |case: &Case| match pass {
                Pass::Backward => case.evaluate_backward(),
                pass => case.evaluate(pass),
            };
            let (found, expected) = (evaluate(&planes), evaluate(&rows));
            let laid_out =
                |reals: &[Real]| if reals.len() == 30 { in_rows(reals, &planes.shape) } else { reals.to_vec() };
            assert_eq!(bits(&laid_out(&found.values)), bits(&expected.values), "{pass:?}: values of {}", planes.name);
            for (found, expected) in [(&found.dlogits, &expected.dlogits), (&found.dtargets, &expected.dtargets)] {
                let found = found.as_deref().map(|reals| bits(&laid_out(reals)));
                assert_eq!(found, expected.as_deref().map(bits), "{pass:?}: gradient of {}", planes.name);
            }
            let state = (found.row_state.as_deref().map(bits), expected.row_state.as_deref().map(bits));
            assert_eq!(state.0, state.1, "{pass:?}: row state of {}", planes.name);
        }
    }
}

/// A mean over the batch divides by its images, not by their pixels.
#[test]
fn a_batch_mean_of_planes_is_over_slabs() {
    let of =
        |reduction| random_case(KlDivergence::from_logits(Form::Probs).reduction(reduction).into(), Batch::new(6, 5));
    let [mean, sum] = [Reduction::BatchMean, Reduction::Sum].map(|r| in_planes(&of(r), 3, [0; 3]).losses()[0]);
    assert_eq!(mean, sum / 2.0);
}

/// Three pixels of weight 0 in two images of three: the mean is over one image's worth.
#[test]
fn a_batch_mean_of_planes_counts_the_slabs_that_weights_leave() {
    let kl = KlDivergence::from_logits(Form::Probs).row_weights(RowWeights::Mask);
    let of = |reduction| {
        let case = random_case(kl.clone().reduction(reduction).into(), Batch::new(6, 5));
        in_planes(&case.row_weights(&[1.0, 0.0, 1.0, 0.0, 0.0, 1.0]), 3, [0; 3])
    };
    let (mean, sum) = (of(Reduction::BatchMean), of(Reduction::Sum));
    assert_close(&mean.name, &mean.losses(), &sum.losses(), 1e-15);
    check(fresh_engines(false).iter(), &mean);
}

fn results_in_rows(case: &Case, bits: Bits) -> Bits {
    let rows = |bits: Vec<u32>| in_rows(&bits, &case.shape);
    let values = if case.has_values_per_element() { rows(bits.values) } else { bits.values };
    Bits { values, dlogits: rows(bits.dlogits), dtargets: rows(bits.dtargets), ..bits }
}

#[test]
fn a_class_of_a_slab_that_exceeds_a_binding_is_refused_with_numbers() {
    for engine in with_limits(|limits| limits.max_storage_buffer_binding_size = 1 << 12) {
        let limit = (1 << 12) - u64::from(engine.device().limits().min_storage_buffer_offset_alignment);
        let case = in_planes(&random_case(CrossEntropy::new().into(), Batch::new(1100, 2)), 1100, [0; 3]);
        let staged = Staged::new(&engine, &case, Pass::Forward, APART, &[]);
        let bound = plan(&engine, &case, Pass::Forward).bind(&staged.buffers());
        assert_eq!(bound.err(), Some(Error::ClassTooLarge { tensor: "logits", found: 4400, limit }));
        // Where classes are alike, elements are cut anywhere.
        let case = in_planes(&random_case(BinaryCrossEntropy::new().into(), Batch::new(600, 2)), 600, [0; 3]);
        let staged = Staged::new(&engine, &case, Pass::Forward, APART, &[]);
        assert!(plan(&engine, &case, Pass::Forward).bind(&staged.buffers()).is_ok());
    }
}

/// The whole table, where `cover` takes a pair of everything.
mod full {
    use super::*;

    /// Seams of the load, of a workgroup's rows, of lanes and of slabs; every size takes every second case and, in turn,
    /// the next engine.
    #[rstest]
    fn every_loss_in_planes_matches_the_oracle(
        #[values((3, 1, 2), (2, 3, 31), (1, 19, 32), (2, 21, 33), (1, 130, 64), (2, 130, 2), (2, 19, 65), (1, 1030, 5))]
        (outer, n_classes, inner): (usize, usize, usize),
    ) {
        let cases = representative_cases(Batch::new(outer * inner, n_classes).deviation(3.0), inner / 2);
        let engines = fresh_engines(false);
        for (i, case) in cases.iter().enumerate().skip(inner % 2).step_by(2) {
            let padding = if i % 4 < 2 { [0; 3] } else { [2, 1, 3] };
            let case = in_planes(&with_random_dloss(case), inner, padding);
            check(whose_turn(&engines, i / 2 + inner), &case);
        }
    }

    /// The checks find an index out of range where they change a result; without them nobody would.
    #[test]
    fn kernels_of_planes_with_run_time_checks_match_the_oracle() {
        let engines = fresh_engines(true);
        for (i, case) in representative_cases(Batch::new(10, 6), 0).iter().enumerate() {
            check(whose_turn(&engines, i), &in_planes(case, 5, [2, 1, 3]));
        }
    }

    /// Where as many lanes share a row, the same numbers meet in the same order. Each shape takes every second loss.
    #[rstest]
    fn planes_have_the_bits_of_their_rows(
        #[values((2, 6, 33), (3, 130, 2))] (outer, n_classes, inner): (usize, usize, usize),
    ) {
        let engines = fresh_engines(false);
        let engines = engines.iter().filter(|(name, _)| name.starts_with("Workgroup")).filter_map(|(_, e)| e.gpu());
        for (i, engine) in engines.enumerate() {
            let cases = representative_cases(Batch::new(outer * inner, n_classes).deviation(3.0), i);
            for rows in cases.iter().filter(|case| by_row(case)).skip(i).step_by(2) {
                let planes = in_planes(rows, inner, [1, 2, 3]);
                for pass in PASSES {
                    let saved = saved_state(engine, rows, pass);
                    let found = results_in_rows(&planes, run(engine, &planes, pass, APART, &saved));
                    assert_eq!(found, run(engine, rows, pass, APART, &saved), "{pass:?} of {}", planes.name);
                }
            }
        }
    }

    /// Nor does a second run; every second case, on the engines in turn.
    #[test]
    fn where_slices_lie_changes_no_bit_of_planes() {
        let engines = fresh_engines(false);
        let engines: Vec<_> = engines.iter().filter_map(|(_, engine)| engine.gpu()).collect();
        for (i, case) in representative_cases(Batch::new(6, 5), 0).iter().enumerate().step_by(2) {
            let case = in_planes(&with_random_dloss(case), 3, [2, 1, 3]);
            for (engine, pass) in whose_turn(&engines, i / 2).flat_map(|engine| PASSES.map(|pass| (engine, pass))) {
                let saved = saved_state(engine, &case, pass);
                let expected = run(engine, &case, pass, APART, &saved);
                let mut layouts = vec![APART, APART.shift(1), ARENA.shift(3)];
                if pass != Pass::Forward {
                    layouts.extend([APART, ARENA].map(Layout::in_place));
                }
                for layout in layouts {
                    let found = run(engine, &case, pass, layout, &saved);
                    assert_eq!(found, expected, "{pass:?} of {} in {layout:?}", case.name);
                }
            }
        }
    }

    /// 8 KiB a binding: windows of 24 slabs, which are whole workgroups, and of fewer than that.
    #[test]
    fn windows_of_slabs_change_no_bit() {
        let limited = with_limits(|limits| limits.max_storage_buffer_binding_size = 1 << 13);
        let planes = |batch, kind, inner| -> Vec<Case> {
            let cases = every_third(representative_cases(batch, kind), kind);
            cases.iter().map(|case| in_planes(case, inner, [1, 2, 3])).collect()
        };
        assert_same_bits(&limited, &planes(Batch::new(16 * 60, 5), 0, 16), APART);
        let mut odd = planes(Batch::new(33 * 20, 5), 1, 33);
        odd.retain(by_row);
        assert_same_bits(&limited, &odd, ARENA);
    }
}
