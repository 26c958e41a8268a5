//! Limits of a device change what is launched and no bit of what comes out.

use rstest::rstest;
use surprisal::{
    BinaryCrossEntropy, Broadcast, CrossEntropy, Error, Form, GpuEngine, KlDivergence, Loss, Output, Pass, Reduction,
    RowWeights, Side,
};

use crate::losses::check_gpu;
use crate::support::case::Case;
use crate::support::cases::{
    Batch, cases_on, every_third, padded_by, random_case, representative_cases, with_random_dloss,
};
use crate::support::device::{default_gpus, fresh_variants, limited, with_limits};
use crate::support::losses::representatives;
use crate::support::staged::{APART, ARENA, Layout, Staged, plan, run, saved_state};

const PASSES: [Pass; 3] = [Pass::Forward, Pass::ForwardBackward, Pass::Backward];

/// They are bound whole, wherever a row is cut.
#[test]
fn weights_per_class_that_exceed_a_binding_are_refused_with_numbers() {
    for engine in with_limits(|limits| limits.max_storage_buffer_binding_size = 1 << 12) {
        let limit = (1 << 12) - u64::from(engine.device().limits().min_storage_buffer_offset_alignment);
        let most = limit as usize / 4;
        for (n_classes, refused) in [(most, false), (most + 1, true)] {
            let loss = Loss::from(BinaryCrossEntropy::new().reduction(Reduction::None));
            let case = random_case(loss, Batch::new(2, n_classes)).weights(&vec![1.0; n_classes], Broadcast::PerClass);
            let staged = Staged::new(&engine, &case, Pass::Forward, APART, &[]);
            let bound = plan(&engine, &case, Pass::Forward).bind(&staged.buffers());
            let expected = Error::RowTooLarge { tensor: "weights", found: 4 * n_classes as u64, limit };
            assert_eq!(bound.err(), refused.then_some(expected), "{n_classes} classes");
        }
    }
}

/// Two or three windows of labels and row weights, whose counts are a divisor together.
#[test]
fn rows_in_any_window_of_labels_count() {
    let losses: [Loss; 2] = [
        CrossEntropy::new().ignore_index(1).into(),
        KlDivergence::from_logits(Form::Probs).row_weights(RowWeights::Count).into(),
    ];
    for engine in limited(|limits| limits.max_storage_buffer_binding_size = 1 << 15) {
        losses.iter().for_each(|loss| check_gpu(&engine, &random_case(loss.clone(), Batch::new(10_000, 3))));
    }
}

/// So many sums of rows that a grid of one dimension does not hold them.
#[test]
fn partial_sums_in_a_grid_of_two_dimensions_match_the_oracle() {
    let side = Side::new().lse().entropy().mean();
    let loss = CrossEntropy::new().ignore_index(1).side(side);
    for engine in limited(|limits| limits.max_compute_workgroups_per_dimension = 4) {
        check_gpu(&engine, &random_case(loss.clone().into(), Batch::new(70_000, 2)));
    }
}

/// Sum 0, mean NaN, no rows: as the oracle has it, in every reduction.
#[test]
fn an_empty_batch_has_the_values_of_the_oracle() {
    for (name, engine) in fresh_variants() {
        for case in cases_on(&representatives(), Batch::new(0, 6)) {
            for pass in PASSES {
                let mut inputs = case.inputs();
                inputs.dloss = inputs.dloss.filter(|_| pass != Pass::Forward);
                let needs_state = pass == Pass::Backward && has_state(&case.loss);
                inputs.row_state = needs_state.then_some(&[]);
                let found = engine.evaluate(&case.loss, pass, case.shape, inputs);
                let found = found.unwrap_or_else(|error| panic!("{name}: {pass:?} of {}: {error}", case.name));
                let expected = Output::from(case.evaluate(pass));
                let same = found.values.iter().zip(&expected.values).all(|(a, b)| a.to_bits() << 1 == b.to_bits() << 1);
                assert!(
                    same && found.values.len() == expected.values.len(),
                    "{name}: {pass:?} of {}: {found:?}",
                    case.name
                );
                assert_eq!(
                    (&found.dlogits, &found.row_state),
                    (&expected.dlogits, &expected.row_state),
                    "{}",
                    case.name
                );
            }
        }
    }
}

fn has_state(loss: &Loss) -> bool {
    match loss {
        Loss::NegativeLogLikelihood(_) | Loss::BinaryCrossEntropy(_) | Loss::SigmoidFocal(_) => false,
        Loss::Entropy(entropy) => entropy.input == Form::Logits,
        _ => true,
    }
}

/// The whole table, where `cover` takes a pair of everything.
pub mod full {
    use super::*;

    /// Holds every pass of the cases on engines with lower limits against the same variant with all limits.
    pub fn assert_same_bits(limited: &[GpuEngine], cases: &[Case], layout: Layout) {
        for (i, (full, limited)) in default_gpus().zip(limited).enumerate() {
            // What windows there are does not depend on the variant: each takes every second case.
            let cases = cases.iter().skip(i).step_by(2);
            for (case, pass) in cases.flat_map(|case| PASSES.map(|pass| (case, pass))) {
                let state = saved_state(full, case, pass);
                let expected = run(full, case, pass, layout, &state);
                let found = run(limited, case, pass, layout, &state);
                assert_eq!(found, expected, "{pass:?} in {layout:?} of {} on {}", case.name, limited.backend());
            }
        }
    }

    /// 64 and 256 KiB a binding: windows of 2304, 384 and 64 rows, none of fewer than a workgroup takes, and of 32 or 128
    /// rows of 256 flat elements.
    #[rstest]
    #[case(0, Batch::new(5000, 5), 16)]
    #[case(1, Batch::new(1000, 33), 16)]
    #[case(2, Batch::new(200, 1000), 18)]
    fn windows_change_no_bit(#[case] turn: usize, #[case] batch: Batch, #[case] log2_bytes: u32) {
        let limited = with_limits(|limits| limits.max_storage_buffer_binding_size = 1 << log2_bytes);
        assert_same_bits(&limited, &every_third(representative_cases(batch, 0), turn), APART);
        let odd = every_third(representative_cases(batch, 1), (turn + 1) % 3);
        let odd: Vec<_> = odd.iter().map(|case| padded_by(&with_random_dloss(case), [3, 2, 1])).collect();
        assert_same_bits(&limited, &odd, ARENA.shift(1));
    }

    /// 4 KiB a binding: windows of one row, and of fewer rows than a workgroup takes; sums over rows are left out, since
    /// workgroups then sum other rows.
    #[rstest]
    #[case(0, Batch::new(300, 5))]
    #[case(1, Batch::new(200, 9))]
    #[case(2, Batch::new(5, 1000))]
    fn narrow_windows_change_no_bit_of_a_row(#[case] turn: usize, #[case] batch: Batch) {
        let limited = with_limits(|limits| limits.max_storage_buffer_binding_size = 1 << 12);
        let by_row = |case: &Case| case.loss.reduction() != Some(Reduction::Mean);
        let cases = [0, 1].into_iter().flat_map(|kind| every_third(representative_cases(batch, kind), turn));
        assert_same_bits(&limited, &cases.filter(by_row).collect::<Vec<_>>(), APART);
    }

    /// 7 workgroups a dimension: grids of up to 7 x 6, whose last row of workgroups is not full.
    #[rstest]
    #[case(0, Batch::new(9000, 5))]
    #[case(1, Batch::new(4700, 33))]
    #[case(2, Batch::new(300, 1000))]
    fn more_workgroups_than_a_dimension_holds_change_no_bit(#[case] turn: usize, #[case] batch: Batch) {
        let limited = with_limits(|limits| limits.max_compute_workgroups_per_dimension = 7);
        assert_same_bits(&limited, &every_third(representative_cases(batch, 1), turn), APART);
    }
}
