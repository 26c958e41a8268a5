//! Rows at the edge of either part.

use surprisal::reference::Real;
use surprisal::{
    Corners, CrossEntropy, Distillation, Form, JensenShannon, KlDivergence, Pass, Policy, Reduction, Rest,
    ReverseKlDivergence, SoftPart, TotalVariation,
};

use crate::losses::check;
use crate::support::case::{Case, case};
use crate::support::cases::{Batch, random_case};
use crate::support::compare::{UNITS, assert_within, numbers};
use crate::support::device::{engines, every_engine, gpus, variants};
use crate::support::planes::in_planes;
use crate::support::random::Random;
use crate::support::staged::{APART, run, saved_state};

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
            let either = |x| [(Some((at, x)), None), (None, Some((at, x)))];
            let both = (Some((at, f32::NEG_INFINITY)), Some((at, f32::NEG_INFINITY)));
            let changes = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY].map(either).concat();
            for (logit, teacher) in changes.into_iter().chain([both]) {
                let case = edge(loss.clone(), logit, teacher);
                check(variants(), &case);
                check(variants(), &case.policy(Policy::new().corners(Corners::PyTorch)));
            }
        }
    }
}

/// The other rows' numbers do not see it; the ignored row is 0 in every part.
#[test]
fn a_row_without_a_value_is_nan_in_every_part() {
    let case = edge(losses()[0].clone(), None, Some((N_CLASSES + 1, f32::NAN)));
    for (name, engine) in every_engine() {
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

/// Where the teacher has nothing, under Q: the sum is infinite, the label's part is not, and no gradient is.
#[test]
fn an_infinite_divergence_is_an_infinite_sum() {
    let soft = ReverseKlDivergence::from_logits(Form::Probs);
    for (weight, expected) in [(0.25, f64::INFINITY), (0.0, 0.5 * 1.5_f64.exp().ln_1p())] {
        let hard = CrossEntropy::new().reduction(Reduction::None);
        let loss = Distillation::new(hard, soft.clone()).weights(0.5, weight);
        let case = case(loss, 2, &[0.5, -1.0, 0.5, -1.0]).labels(&[0, 1]).values(&[0.25, 0.75, 1.0, 0.0]);
        let found = case.losses()[1];
        assert!(found == expected || (found - expected).abs() < 1e-6, "{found} for {expected}");
        assert!(case.gradient()[2].is_nan(), "which has no value where the divergence is infinite");
        check(engines(), &case);
    }
}

/// Where 0 times infinity is NaN, as in PyTorch, a part without a value is not undone by a weight of 0.
#[test]
fn a_weight_of_0_does_not_hide_a_part_without_a_value() {
    let soft = KlDivergence::from_logits(Form::Logits);
    let loss = Distillation::new(CrossEntropy::new().reduction(Reduction::None), soft).weights(1.0, 0.0);
    const MASKED: f32 = f32::NEG_INFINITY;
    let case = case(loss, 3, &[0.5, -1.0, MASKED, 0.5, -1.0, 2.0]).labels(&[0, 1]);
    let case = case.values(&[0.25, 0.75, MASKED, 1.0, 0.0, -1.0]).policy(Policy::new().corners(Corners::PyTorch));
    assert!(case.losses()[0].is_nan() && case.losses()[1].is_finite());
    check(engines(), &case);
}

/// A mean over rows that are all ignored has no value, and no gradient flows.
#[test]
fn nothing_kept_is_as_for_the_cross_entropy() {
    let ignored = LABELS.into_iter().fold(CrossEntropy::new(), CrossEntropy::ignore_index);
    for hard in [ignored.clone(), ignored.class_weights([0.5; N_CLASSES])] {
        check(engines(), &edge(Distillation::new(hard, losses()[0].soft.clone()), None, None));
    }
}

const RESTS: [Rest; 3] = [Rest::Dropped, Rest::Renormalised, Rest::Spread];

/// Every divergence from a teacher that names k classes a row by their probabilities.
fn top_k(k: usize, rest: Rest) -> Vec<Distillation> {
    let mut soft: Vec<SoftPart> = vec![
        KlDivergence::from_logits(Form::Probs).temperature(2.0).scaled_by_t_squared().top_k(k, rest).into(),
        JensenShannon::from_logits(Form::Probs).beta(0.25).top_k(k, rest).into(),
        TotalVariation::from_logits(Form::Probs).top_k(k, rest).into(),
    ];
    if rest == Rest::Spread {
        soft.push(ReverseKlDivergence::from_logits(Form::Probs).top_k(k, rest).into());
    }
    let hard = CrossEntropy::new().ignore_index(-100).reduction(Reduction::None);
    soft.into_iter().map(|soft| Distillation::new(hard.clone(), soft).weights(0.5, 0.75)).collect()
}

/// What a host refuses, a device meets: ids out of range and numbers that are none poison their rows alone, masses of a
/// class named twice add up, and an ignored row is 0 whatever its teacher holds.
#[test]
fn what_the_host_refuses_of_a_teacher_is_safe_on_a_device() {
    const INF: f32 = f32::INFINITY;
    let ids = [0, 4, 0, 5, i32::MAX, 1, 2, 2, -7, 1, i32::MAX, 5, 0, 0, 3, 4, 0, 1, 2, 3];
    let probs = [
        0.5,
        0.25,
        0.5,
        0.25,
        0.5,
        0.25,
        0.5,
        0.25,
        -0.5,
        0.25,
        f32::NAN,
        INF,
        -0.5,
        INF,
        0.5,
        -0.25,
        f32::NAN,
        0.5,
        0.5,
        INF,
    ];
    let labels = [0, 1, 2, 3, 4, -100, -100, 0, 1, 2];
    let logits = Random::new(5).grid(labels.len() * N_CLASSES, -4, 4);
    let poisoned = [1, 2, 7, 8, 9];
    for loss in RESTS.into_iter().flat_map(|rest| top_k(2, rest)) {
        let case = case(loss, N_CLASSES, &logits).labels(&labels).taught(&ids, &probs);
        let oracle = case.evaluate(Pass::ForwardBackward);
        let gradient = oracle.dlogits.as_deref().expect("a gradient");
        for (n, value) in oracle.values.iter().enumerate() {
            assert_eq!(value.value.is_nan(), poisoned.contains(&n), "row {n} of {}", case.name);
            assert_eq!(value.value == 0.0, labels[n] == -100, "row {n} of {}", case.name);
        }
        for engine in gpus() {
            for pass in [Pass::Forward, Pass::ForwardBackward, Pass::Backward] {
                let found = run(engine, &case, pass, APART, &saved_state(engine, &case, pass));
                let name = format!("{pass:?} of {} on {}", case.name, engine.backend());
                let sums: Vec<u32> = found.values.into_iter().step_by(4).collect();
                if pass != Pass::Backward {
                    assert_matches(&name, &sums, &oracle.values);
                }
                if pass != Pass::Forward {
                    assert_matches(&name, &found.dlogits, gradient);
                }
            }
        }
    }
}

/// Bits against the oracle's numbers, to within what it says of their roundings.
fn assert_matches(name: &str, found: &[u32], oracle: &[Real]) {
    let found: Vec<f64> = found.iter().map(|&bits| f32::from_bits(bits).into()).collect();
    let bound = |i: usize| (UNITS * oracle[i].rounding + oracle[i].value.abs()) / f64::from(1 << 24) + 1e-35;
    assert_within(name, &found, &numbers(oracle), bound);
}

/// Logits at the edge, each with masses at the edge.
#[test]
fn corners_of_named_classes_are_those_of_the_oracle() {
    let inf = f32::INFINITY;
    let rows = [[0.5, -1.0, 2.0], [f32::NAN, 0.0, 1.0], [0.0, 1.0, inf], [-inf, 0.0, 0.5], [0.0, -inf, 1.0], [-inf; 3]];
    let teachers: [([i32; 2], [f32; 2]); 7] = [
        ([2, 0], [0.5, 0.25]),
        ([0, 1], [1.0, 0.0]),
        ([1, -1], [0.75, f32::NAN]),
        ([-1, i32::MIN], [f32::NAN, inf]),
        ([0, 2], [0.0, 0.0]),
        ([1, 0], [0.75, 0.5]),
        ([1, 0], [0.25, f32::NAN]),
    ];
    let pairs: Vec<_> = rows.iter().flat_map(|row| teachers.iter().map(move |teacher| (row, teacher))).collect();
    let logits: Vec<f32> = pairs.iter().flat_map(|(row, _)| **row).collect();
    let ids: Vec<i32> = pairs.iter().flat_map(|(_, (ids, _))| *ids).collect();
    let probs: Vec<f32> = pairs.iter().flat_map(|(_, (_, probs))| *probs).collect();
    let labels: Vec<i32> = (0..pairs.len()).map(|n| [0, 1, 2, -100][n % 4]).collect();
    for loss in RESTS.into_iter().flat_map(|rest| top_k(2, rest)) {
        let case = case(loss, 3, &logits).labels(&labels).taught(&ids, &probs);
        check(variants(), &Case { name: format!("corners of {:?}", case.loss), ..case });
    }
}

/// The whole table, where `cover` takes a pair of everything.
mod full {
    use super::*;

    /// As many as may be: nearly every class of its row, and among so many that the filter errs; on rows of their own, and
    /// on neighbours in a vector.
    #[test]
    fn many_named_classes_match_the_oracle() {
        let [kl, jensen_shannon, ..] = &top_k(256, Rest::Spread)[..] else { panic!("two") };
        for loss in [kl, jensen_shannon] {
            check(engines(), &random_case(loss.clone().into(), Batch::new(2, 300).deviation(3.0)));
            check(engines(), &in_planes(&random_case(loss.clone().into(), Batch::new(32, 300)), 32, [0; 3]));
        }
        check(engines(), &random_case(kl.clone().into(), Batch::new(1, 50_257).deviation(3.0)));
    }
}
