//! Rows at the edge of either part.

use surprisal::{CrossEntropy, Distillation, Form, KlDivergence, Pass, Reduction};

use crate::losses::check;
use crate::support::case::{Case, case};
use crate::support::device::engines;
use crate::support::random::Random;

const N_CLASSES: usize = 5;
const LABELS: [i32; 6] = [0, 1, 2, -100, 3, 4];

/// Logits and a teacher's, with one number of each changed.
fn edge(loss: Distillation, logit: Option<(usize, f32)>, teacher: Option<(usize, f32)>) -> Case {
    let random = &mut Random::new(7);
    let mut numbers = || random.normal(LABELS.len() * N_CLASSES, 3.0);
    let (mut logits, mut teacher_logits) = (numbers(), numbers());
    if let Some((i, x)) = logit {
        logits[i] = x;
    }
    if let Some((i, x)) = teacher {
        teacher_logits[i] = x;
    }
    case(loss, N_CLASSES, &logits).labels(&LABELS).values(&teacher_logits)
}

fn losses() -> [Distillation; 2] {
    let hard = || CrossEntropy::new().ignore_index(-100).reduction(Reduction::None);
    let soft = || KlDivergence::from_logits(Form::Logits).temperature(2.0);
    [Distillation::new(hard(), soft()).weights(0.5, 0.5), Distillation::new(hard(), soft()).weights(0.0, 1.0)]
}

/// Of the row of label 1, of the ignored row, and of a class that is no row's label.
#[test]
fn rows_at_the_edge_are_those_of_the_oracle() {
    for loss in losses() {
        for at in [N_CLASSES + 1, N_CLASSES + 2, 3 * N_CLASSES + 1] {
            for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
                check(engines(), &edge(loss.clone(), Some((at, x)), None));
                check(engines(), &edge(loss.clone(), None, Some((at, x))));
            }
            check(engines(), &edge(loss.clone(), Some((at, f32::NEG_INFINITY)), Some((at, f32::NEG_INFINITY))));
        }
    }
}

/// The other rows' numbers do not see it; the ignored row is 0 in every part.
#[test]
fn a_row_without_a_value_is_nan_in_every_part() {
    let case = edge(losses()[0].clone(), None, Some((N_CLASSES + 1, f32::NAN)));
    for (name, engine) in engines() {
        let output = super::evaluate(engine, &case, Pass::ForwardBackward);
        let parts = output.parts.expect("parts");
        for (n, (value, part)) in output.values.iter().zip(parts).enumerate() {
            let all = [*value, part[0], part[1], part[2]];
            match n {
                1 => assert!(all.iter().all(|x| x.is_nan()), "{name}: row {n} is {all:?}"),
                3 => assert_eq!(all, [0.0; 4], "{name}: row {n}"),
                _ => assert!(all.iter().all(|x| x.is_finite()), "{name}: row {n} is {all:?}"),
            }
        }
    }
}

/// A mean over rows that are all ignored has no value, and no gradient flows.
#[test]
fn nothing_kept_is_as_for_the_cross_entropy() {
    let mut loss = losses()[0].clone();
    loss.hard = loss.hard.ignore_index(0).ignore_index(1).ignore_index(2).ignore_index(3).ignore_index(4);
    loss.hard.reduction = Reduction::Mean;
    check(engines(), &edge(loss.clone(), None, None));
    loss.hard.class_weights = Some(vec![0.5; N_CLASSES]);
    check(engines(), &edge(loss, None, None));
}
