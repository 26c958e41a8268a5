//! A distillation is the weighted sum of what its parts are by themselves.

use surprisal::reference::Evaluation;
use surprisal::{Distillation, Loss, Pass, Reduction, RowWeights, SoftPart};

use crate::support::case::Case;
use crate::support::cases::{Batch, random_case, with_random_dloss};
use crate::support::compare::{assert_close, numbers};
use crate::support::losses::distillations;
use crate::support::spec::{hard_without_z, ignored, with_reduction};

/// The divergence by itself, of the rows that are not ignored.
fn divergence(loss: &Distillation, reduction: Reduction) -> Loss {
    let weights = loss.hard.loss().row_weights().unwrap_or(RowWeights::Mask);
    let loss = match loss.soft.clone() {
        SoftPart::Kl(soft) => Loss::from(soft.row_weights(weights)),
        SoftPart::ReverseKl(soft) => soft.row_weights(weights).into(),
        SoftPart::JensenShannon(soft) => soft.row_weights(weights).into(),
        SoftPart::TotalVariation(soft) => soft.row_weights(weights).into(),
        other => panic!("a divergence that no test knows: {other:?}"),
    };
    with_reduction(&loss, if reduction == Reduction::Mean { Reduction::BatchMean } else { reduction })
}

fn weighted(weights: [f32; 2], hard: &[f64], soft: &[f64]) -> Vec<f64> {
    let [a, b] = weights.map(f64::from);
    hard.iter().zip(soft).map(|(hard, soft)| a * hard + b * soft).collect()
}

fn gradient(evaluation: &Evaluation) -> Vec<f64> {
    numbers(evaluation.dlogits.as_ref().expect("a gradient"))
}

#[test]
fn values_parts_and_gradient_are_those_of_the_parts() {
    for loss in distillations() {
        let Loss::Distillation(parts) = &loss else { panic!("{loss:?} is no distillation") };
        for reduction in [Reduction::None, Reduction::Sum, Reduction::Mean, Reduction::SumDividedBy(3.5)] {
            let case = with_random_dloss(&random_case(with_reduction(&loss, reduction), Batch::new(5, 6)));
            let (labels, ignored) = (case.labels.as_ref().expect("labels"), ignored(&loss).expect("labels"));
            let weights = case.row_weights.clone().unwrap_or_else(|| vec![1.0; labels.len()]);
            let keep = |(label, weight)| if ignored.contains(label) { 0.0 } else { weight };
            let kept = labels.iter().zip(weights).map(keep).collect();
            let loss = with_reduction(&parts.hard.loss(), reduction);
            let hard = Case { loss, values: None, teacher_ids: None, target_probs: None, ..case.clone() };
            let plain = Case { loss: with_reduction(&hard_without_z(parts), reduction), ..hard.clone() };
            let loss = divergence(parts, reduction);
            let labels = case.teacher_ids.clone();
            let soft = Case { loss, labels, teacher_ids: None, row_weights: Some(kept), ..case.clone() };
            let [whole, hard, plain, soft] =
                [&case, &hard, &plain, &soft].map(|case| case.evaluate(Pass::ForwardBackward));

            let weights = [parts.hard_weight, parts.soft_weight];
            let [hard_values, plain_values, soft_values] = [&hard, &plain, &soft].map(|part| numbers(&part.values));
            assert_close(&case.name, &numbers(&whole.values), &weighted(weights, &hard_values, &soft_values), 1e-12);
            let expected = weighted(weights, &gradient(&hard), &gradient(&soft));
            assert_close(&case.name, &gradient(&whole), &expected, 1e-12);
            let found = whole.parts.as_ref().expect("parts");
            let part = |i: usize| found.iter().map(|part| part[i].value).collect::<Vec<_>>();
            assert_close(&format!("hard part of {}", case.name), &part(0), &plain_values, 1e-12);
            assert_close(&format!("soft part of {}", case.name), &part(1), &soft_values, 1e-12);
            let side = |evaluation: &Evaluation| evaluation.side.as_ref().map(|(_, side)| numbers(side));
            assert_eq!(side(&whole), side(&hard), "side outputs of {}", case.name);
            let z_loss: Vec<_> = hard_values.iter().zip(&plain_values).map(|(whole, plain)| whole - plain).collect();
            assert_close(&format!("z-loss of {}", case.name), &part(2), &z_loss, 1e-12);
        }
    }
}
