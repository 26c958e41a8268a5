//! Equalities to the bit.

use rstest::rstest;
use surprisal::{CrossEntropy, Distillation, Form, HardPart, KlDivergence, Loss, Pass, Reduction, SoftmaxFocal};

use super::evaluate;
use crate::support::case::Case;
use crate::support::cases::{Batch, random_case, representative_cases};
use crate::support::device::{cpu, cpu_and_variants, cpu_and_variants_at, fresh_engines, whose_turn};
use crate::support::losses::{each_divergence, of_softmax, representatives};
use crate::support::spec::{teacher_form, with_reduction};

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Logits are multiples of 2^-8 below 4: with 1024 added they are exact in f32, and so are their differences.
#[test]
fn a_common_offset_of_a_rows_logits_changes_no_bit() {
    let shift = |values: &[f32]| values.iter().map(|x| x + 1024.0).collect::<Vec<_>>();
    for (i, loss) in of_softmax().into_iter().step_by(5).enumerate() {
        let case = random_case(loss, Batch::new(5, [6, 37, 260][i % 3]));
        let mut moved = Case { logits: shift(&case.logits), ..case.clone() };
        if teacher_form(&case.loss) == Some(Form::Logits) {
            moved.values = case.values.as_deref().map(shift);
        }
        for (name, engine) in cpu_and_variants_at(i) {
            let [expected, found] = [&case, &moved].map(|case| evaluate(engine, case, Pass::ForwardBackward));
            assert_eq!(bits(&found.values), bits(&expected.values), "{name}: {}", case.name);
            let [expected, found] = [expected, found].map(|output| bits(&output.dlogits.unwrap_or_default()));
            assert_eq!(found, expected, "{name}: gradient of {}", case.name);
        }
    }
}

#[test]
fn focal_loss_with_gamma_zero_is_cross_entropy() {
    for reduction in [Reduction::None, Reduction::Mean] {
        for ignored in [vec![], vec![1]] {
            let (mut focal, mut plain) = (SoftmaxFocal::new(0.0), CrossEntropy::new());
            (focal.reduction, focal.ignore_index) = (reduction, ignored.clone());
            (plain.reduction, plain.ignore_index) = (reduction, ignored);
            let beside_teacher =
                |hard: HardPart| Distillation::new(hard, KlDivergence::from_logits(Form::Logits)).into();
            let sums = [beside_teacher(focal.clone().into()), beside_teacher(plain.clone().into())];
            for losses in [[Loss::from(focal), plain.into()], sums] {
                let [focal, plain] = losses.map(|loss| random_case(loss, Batch::new(300, 37).deviation(3.0)));
                for (name, engine) in cpu_and_variants() {
                    let [a, b] = [&focal, &plain].map(|case| evaluate(engine, case, Pass::ForwardBackward));
                    assert_eq!(bits(&a.values), bits(&b.values), "{name}: {}", focal.name);
                    assert_eq!(a.dlogits.map(|g| bits(&g)), b.dlogits.map(|g| bits(&g)), "{name}: {}", focal.name);
                }
            }
        }
    }
}

/// P and Q from the same logits: the fused pass sums terms that are 0 each.
#[rstest]
fn a_distribution_does_not_diverge_from_itself(#[values(1, 2, 6, 37, 1000)] n_classes: usize) {
    for loss in each_divergence(Form::Logits, Form::Logits) {
        let loss = with_reduction(&loss, Reduction::None);
        let mut case = random_case(loss, Batch::new(20, n_classes).deviation(3.0));
        case.values = Some(case.logits.clone());
        for (name, engine) in cpu_and_variants() {
            let fused = evaluate(engine, &case, Pass::ForwardBackward);
            assert_eq!(fused.values, [0.0; 20], "{name}: {}", case.name);
            assert!(fused.dlogits.iter().flatten().all(|&g| g == 0.0), "{name}: {}", case.name);
        }
    }
}

/// The whole table, where `cover` takes a pair of everything.
mod full {
    use super::*;

    /// Alone, among few others, in reverse order: always the same loss and gradient. Engines take losses in turn.
    #[test]
    fn a_row_does_not_depend_on_the_other_rows() {
        let engines = fresh_engines(false);
        for (i, loss) in representatives().into_iter().enumerate() {
            let loss = match loss {
                Loss::LogSoftmax | Loss::Softmax => loss,
                _ => with_reduction(&loss, Reduction::None),
            };
            for batch in [Batch::new(40, 37), Batch::new(7, 1028)] {
                let case = random_case(loss.clone(), batch.deviation(3.0));
                let reversed: Vec<_> = (0..batch.n_rows).rev().collect();
                for (name, engine) in std::iter::once(cpu()).chain(whose_turn(&engines, i)) {
                    let all = evaluate(engine, &case, Pass::ForwardBackward);
                    for subset in [&[0][..], &[4], &[1, 6, 2], &reversed] {
                        let some = case.rows(subset);
                        let found = evaluate(engine, &some, Pass::ForwardBackward);
                        let width = all.values.len() / batch.n_rows;
                        for (i, &n) in subset.iter().enumerate() {
                            let pick = |values: &[f32], n: usize, width: usize| bits(&values[n * width..][..width]);
                            let (c, what) = (batch.n_classes, format!("{name}: row {n} in {}", some.name));
                            assert_eq!(pick(&found.values, i, width), pick(&all.values, n, width), "{what}");
                            let [found, all] =
                                [&found, &all].map(|output| output.dlogits.as_deref().expect("a gradient"));
                            assert_eq!(pick(found, i, c), pick(all, n, c), "{what}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn the_same_input_gives_the_same_bits() {
        let engines = fresh_engines(false);
        let cases = [0, 1].into_iter().flat_map(|kind| representative_cases(Batch::new(600, 37), kind));
        for (i, case) in cases.enumerate() {
            for (name, engine) in std::iter::once(cpu()).chain(whose_turn(&engines, i)) {
                let [first, second] = [(); 2].map(|_| evaluate(engine, &case, Pass::ForwardBackward));
                assert_eq!(bits(&first.values), bits(&second.values), "{name}: {}", case.name);
                let [first, second] = [first, second].map(|output| bits(&output.dlogits.unwrap_or_default()));
                assert_eq!(first, second, "{name}: {}", case.name);
            }
        }
    }
}
