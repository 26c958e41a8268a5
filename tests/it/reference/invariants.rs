//! What holds for every input: shift invariance, gradient rows that sum to zero, ignored rows, signs.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use surprisal::{
    BinaryCrossEntropy, CrossEntropy, Entropy, Form, JensenShannon, KlDivergence, Loss, Pass, Reduction,
    ReverseKlDivergence, SoftmaxFocal, TotalVariation,
};

use crate::support::case::{Case, case};
use crate::support::cases::cases;
use crate::support::compare::{assert_close, assert_within, numbers};
use crate::support::losses;
use crate::support::random::Random;
use crate::support::spec;

/// Each row's logits moved by a shift of its own.
fn shifted(values: &[f32], n_classes: usize, shifts: &[i32]) -> Vec<f32> {
    let rows = values.chunks(n_classes).zip(shifts.iter().cycle());
    rows.flat_map(|(row, &shift)| row.iter().map(move |x| x + shift as f32)).collect()
}

/// A teacher's logits move as the student's do.
fn shifted_case(case: &Case, shifts: &[i32]) -> Case {
    let mut moved = case.clone();
    moved.name = format!("{} shifted by {shifts:?}", case.name);
    moved.logits = shifted(&case.logits, case.shape.n_classes, shifts);
    if spec::teacher_form(&case.loss) == Some(Form::Logits) {
        moved.values = case.values.as_ref().map(|values| shifted(values, case.shape.n_classes, shifts));
    }
    moved
}

/// The same cases on every run, and no files left behind.
fn repeatable(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(repeatable(4))]

    /// Logits are multiples of 2^-8 and stay below 2^16: `x - m` is exact, so not a bit changes.
    #[test]
    fn a_shift_of_a_rows_logits_changes_nothing(shifts in prop::collection::vec(-60_000..60_000, 5)) {
        for case in cases(&losses::of_softmax()) {
            let moved = shifted_case(&case, &shifts);
            assert_close(&moved.name, &moved.losses(), &case.losses(), 0.0);
            assert_close(&moved.name, &moved.gradient(), &case.gradient(), 0.0);
        }
    }
}

#[test]
fn gradient_rows_of_softmax_losses_sum_to_zero() {
    for case in cases(&losses::of_softmax()) {
        for row in case.gradient().chunks(case.shape.n_classes) {
            let scale: f64 = row.iter().map(|g| g.abs()).sum();
            // Terms of size 1, times weights up to 2 and T^2 = 9, cancel in a row of 6.
            let bound = 64.0 * f64::EPSILON * (1.0 + scale);
            assert_close(&case.name, &[row.iter().sum()], &[0.0], bound);
        }
    }
}

#[test]
fn ignored_rows_are_zero_whatever_their_logits() {
    for loss in losses::all() {
        if spec::ignored(&loss).is_some_and(|ignored| !ignored.is_empty()) {
            cases(std::slice::from_ref(&loss)).iter().for_each(assert_row_1_is_ignored);
        }
    }
}

fn assert_row_1_is_ignored(case: &Case) {
    let n_classes = case.shape.n_classes;
    for x in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let mut ruined = case.clone();
        ruined.name = format!("{} with row 1 at {x}", case.name);
        ruined.logits[n_classes..2 * n_classes].fill(x);
        assert_close(&ruined.name, &ruined.losses(), &case.losses(), 0.0);
        assert_close(&ruined.name, &ruined.gradient(), &case.gradient(), 0.0);
        assert_eq!(ruined.gradient()[n_classes..2 * n_classes], vec![0.0; n_classes], "{}", ruined.name);
        if let Some(backward) = ruined.evaluate_backward().dlogits {
            assert_eq!(numbers(&backward[n_classes..2 * n_classes]), vec![0.0; n_classes], "{}", ruined.name);
        }
    }
}

/// A scaled loss that overflowed sends an infinite upstream gradient; rows that do not count stay out of it.
#[test]
fn ignored_rows_are_zero_whatever_their_upstream_gradient() {
    for loss in [
        Loss::from(CrossEntropy::new().ignore_index(-1).reduction(Reduction::None)),
        SoftmaxFocal::new(2.0).ignore_index(-1).reduction(Reduction::None).into(),
    ] {
        for upstream in [f32::INFINITY, f32::NAN] {
            let ignored = case(&loss, 2, &[0.5, 1.0, 0.5, 1.0]).labels(&[0, -1]).dloss(&[0.0, upstream]);
            assert_eq!(ignored.gradient()[2..], [0.0, 0.0], "{} with dloss {upstream}", ignored.name);
        }
    }
}

/// Weights may be negative, so these are the cases without.
#[test]
fn losses_of_probabilities_are_not_negative() {
    let mut losses = losses::sigmoid_focals();
    losses.extend([CrossEntropy::new().into(), SoftmaxFocal::new(3.7).into()]);
    losses.extend([BinaryCrossEntropy::new().into(), Entropy::of_logits().into()]);
    for case in cases(&losses) {
        let unweighted = Case { weights: None, ..case };
        assert!(unweighted.losses().iter().all(|&l| l >= 0.0), "{}: {:?}", unweighted.name, unweighted.losses());
    }
}

proptest! {
    #![proptest_config(repeatable(256))]

    /// Teacher and student differ by what a step of training leaves, down to nothing at all.
    #[test]
    fn kl_divergence_is_never_negative(
        teacher in prop::collection::vec(-8.0_f32..8.0, 2..9),
        step in prop::sample::select(vec![0.0_f32, 1e-6, 1e-3, 1.0]),
        temperature in prop::sample::select(vec![1.0_f32, 20.0, 1e4]),
    ) {
        let student: Vec<f32> = teacher.iter().enumerate().map(|(c, x)| x + step * (c % 3) as f32).collect();
        let loss = KlDivergence::from_logits(Form::Logits).temperature(temperature);
        let kl = case(loss, teacher.len(), &student).values(&teacher);
        prop_assert!(kl.losses()[0] >= 0.0, "{}, teacher {:?}: {:e}", kl.name, teacher, kl.losses()[0]);
    }
}

/// Two batches of logits, as student and teacher and the other way round.
fn exchanged(loss: &Loss, swapped: &Loss) -> (Case, Case) {
    let [a, b] = [10, 11].map(|seed| Random::new(seed).grid(60, -8, 8));
    let of = |loss: &Loss, student: &[f32], teacher: &[f32]| {
        case(spec::with_reduction(loss, Reduction::None), 6, student).values(teacher)
    };
    (of(loss, &a, &b), of(swapped, &b, &a))
}

#[test]
fn reverse_kl_of_p_and_q_is_kl_of_q_and_p() {
    let [kl, reverse, ..] = losses::each_divergence(Form::Logits, Form::Logits);
    let (reverse, kl) = exchanged(&reverse, &kl);
    assert_close(&reverse.name, &reverse.losses(), &kl.losses(), 0.0);
}

/// What moves the teacher of KL(P||Q) moves the student of the reverse divergence, which P is there.
#[test]
fn the_teachers_gradient_is_that_of_the_reversed_divergence() {
    for temperature in [0.75, 1.0, 3.0] {
        let kl = KlDivergence::from_logits(Form::Logits).temperature(temperature).teacher_gradient();
        let reverse = ReverseKlDivergence::from_logits(Form::Logits).temperature(temperature);
        let (kl, reverse) = exchanged(&kl.into(), &reverse.into());
        // p h - p KL there, p (h - KL) here: a few roundings of log-ratios up to 16/T, over T.
        let bound = 4.0 * 16.0 / f64::from(temperature).powi(2) * f64::EPSILON;
        assert_close(&kl.name, &kl.teacher_gradient(), &reverse.gradient(), bound);
    }
}

#[test]
fn jensen_shannon_and_total_variation_are_symmetric() {
    for loss in [JensenShannon::from_logits(Form::Logits).into(), TotalVariation::from_logits(Form::Logits).into()] {
        let (one, other) = exchanged(&loss, &loss);
        assert_close(&one.name, &one.losses(), &other.losses(), 4.0 * f64::EPSILON);
    }
    let [beta, rest] = [0.125, 0.875].map(|beta| JensenShannon::from_logits(Form::Logits).beta(beta).into());
    let (one, other) = exchanged(&beta, &rest);
    assert_close(&one.name, &one.losses(), &other.losses(), 4.0 * f64::EPSILON);
}

proptest! {
    #![proptest_config(repeatable(256))]

    /// 0 <= JSD <= log 2 at beta 1/2, 0 <= TV <= 1, and Pinsker's inequality `2 TV^2 <= KL`, down to equality.
    #[test]
    fn divergences_keep_their_bounds(
        teacher in prop::collection::vec(-20.0_f32..20.0, 2..9),
        step in prop::sample::select(vec![0.0_f32, 1e-6, 1e-3, 1.0, 10.0]),
    ) {
        let student: Vec<f32> = teacher.iter().enumerate().map(|(c, x)| x + step * (c % 3) as f32).collect();
        let value = |loss: Loss| case(loss, teacher.len(), &student).values(&teacher).losses()[0];
        let js = value(JensenShannon::from_logits(Form::Logits).into());
        let tv = value(TotalVariation::from_logits(Form::Logits).into());
        let kl = value(KlDivergence::from_logits(Form::Logits).into());
        let reverse = value(ReverseKlDivergence::from_logits(Form::Logits).into());
        let units = 1.0 + 16.0 * f64::EPSILON;
        prop_assert!((0.0..=std::f64::consts::LN_2 * units).contains(&js), "JSD {js:e}");
        prop_assert!((0.0..=units).contains(&tv), "TV {tv:e}");
        // Where the two nearly agree, u is known to a unit of the logarithms it is the difference of.
        let unsure = 64.0 * f64::EPSILON * tv;
        prop_assert!(2.0 * tv * tv <= kl.min(reverse) * units + unsure, "TV {tv:e}, KL {kl:e}, reverse {reverse:e}");
    }
}

#[test]
fn rounding_bounds_are_not_negative_nor_nan() {
    for case in cases(&losses::all()) {
        let evaluation = case.evaluate(Pass::ForwardBackward);
        let reals = evaluation.values.iter().chain(evaluation.dlogits.iter().flatten());
        reals.for_each(|real| assert!(real.rounding >= 0.0 && real.rounding.is_finite(), "{}: {real:?}", case.name));
    }
}

/// What a forward pass returns is what a fused pass returns.
#[test]
fn passes_agree_on_values() {
    for case in cases(&losses::all()) {
        let fused = numbers(&case.evaluate(Pass::ForwardBackward).values);
        assert_within(&case.name, &fused, &case.losses(), |_| 0.0);
    }
}
