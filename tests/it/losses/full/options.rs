//! Every option that changes a kernel, on five rows of six classes.

use rstest::rstest;
use surprisal::{Loss, Reduction};

use super::super::check;
use crate::support::cases::{Batch, cases, every_third, padded, padded_by, representative_cases, with_random_dloss};
use crate::support::device::{fresh_engines, fresh_variants, whose_turn};
use crate::support::losses::{
    binary_cross_entropies, cross_entropies, distillations, entropies, jensen_shannons, kl_divergences,
    negative_log_likelihoods, reverse_kl_divergences, sigmoid_focals, soft_cross_entropies, softmax_focals, softmaxes,
    total_variations, with_row_options,
};

/// Contiguous, and in padded rows with an upstream gradient, which the same kernels read. One kernel variant has what is
/// summed over the batch, another what is left by row; with the next loss they change places.
#[rstest]
#[case::softmaxes(softmaxes())]
#[case::cross_entropies(cross_entropies())]
#[case::negative_log_likelihoods(negative_log_likelihoods())]
#[case::soft_cross_entropies(soft_cross_entropies())]
#[case::kl_divergences(kl_divergences())]
#[case::reverse_kl_divergences(reverse_kl_divergences())]
#[case::jensen_shannons(jensen_shannons())]
#[case::total_variations(total_variations())]
#[case::softmax_focals(softmax_focals())]
#[case::with_row_options(with_row_options())]
#[case::binary_cross_entropies(binary_cross_entropies())]
#[case::sigmoid_focals(sigmoid_focals())]
#[case::entropies(entropies())]
#[case::distillations(distillations())]
fn every_loss_matches_the_oracle(#[case] losses: Vec<Loss>) {
    let engines = fresh_variants();
    for (i, loss) in losses.into_iter().enumerate() {
        for case in cases(&[loss]) {
            let by_row = usize::from(case.loss.reduction() == Some(Reduction::None));
            for case in [padded(&with_random_dloss(&case)), case] {
                check(whose_turn(&engines, i + by_row), &case);
            }
        }
    }
}

/// The checks find an index out of range where they change a result; without them nobody would. What is indexed is a
/// family's concern: sizes and engines take losses in turn.
#[test]
fn kernels_with_run_time_checks_match_the_oracle() {
    let engines = fresh_engines(true);
    for (turn, batch) in [Batch::new(5, 6), Batch::new(5, 8), Batch::new(3, 1025)].into_iter().enumerate() {
        for (i, case) in every_third(representative_cases(batch, turn), turn).into_iter().enumerate() {
            check(whose_turn(&engines, turn + i), &padded_by(&with_random_dloss(&case), [4, 8, 12]));
            check(whose_turn(&engines, turn + i), &case);
        }
    }
}
