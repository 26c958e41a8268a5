//! The corner table: masks, infinities, NaN, labels out of range, empty batches.

use std::f64::consts::LN_2;

use rstest::rstest;
use surprisal::{
    BinaryCrossEntropy, Broadcast, CrossEntropy, Entropy, Form, JensenShannon, KlDivergence, Loss,
    NegativeLogLikelihood, Pass, Reduction, ReverseKlDivergence, SigmoidFocal, SoftCrossEntropy, SoftmaxFocal,
    TotalVariation,
};

use crate::support::case::{Case, case};
use crate::support::compare::{assert_close, numbers};
use crate::support::losses::each_divergence;
use crate::support::spec::{ignored, with_reduction};

const INF: f32 = f32::INFINITY;
const NEG_INF: f32 = f32::NEG_INFINITY;
const ULPS: f64 = 4.0 * f64::EPSILON;

/// Every loss that reads logits, one loss per row (or per element), on two rows of three.
fn two_rows(loss: impl Into<Loss>, logits: [f32; 6]) -> Case {
    let loss = loss.into();
    let case = match &loss {
        Loss::LogSoftmax | Loss::Softmax => return case(&loss, 3, &logits).dloss(&[1.0, -0.5, 2.0, 0.25, 1.0, 0.5]),
        _ => case(with_reduction(&loss, Reduction::None), 3, &logits),
    };
    match loss {
        Loss::CrossEntropy(_) | Loss::SoftmaxFocal(_) => case.labels(&[1, 2]),
        Loss::Entropy(_) => case,
        _ => case.values(&[0.5, 0.25, 0.25, 0.125, 0.75, 0.125]),
    }
}

fn row(numbers: &[f64], n: usize) -> &[f64] {
    let width = numbers.len() / 2;
    &numbers[n * width..][..width]
}

#[rstest]
fn a_row_without_a_value_is_nan_and_leaves_the_others_alone(
    #[values(
        Loss::LogSoftmax,
        Loss::Softmax,
        CrossEntropy::new().into(),
        CrossEntropy::new().label_smoothing(0.25).into(),
        SoftCrossEntropy::new().into(),
        KlDivergence::from_logits(Form::Probs).into(),
        KlDivergence::from_logits(Form::LogProbs).into(),
        KlDivergence::from_logits(Form::Logits).temperature(2.0).into(),
        ReverseKlDivergence::from_logits(Form::Probs).into(),
        ReverseKlDivergence::from_logits(Form::Logits).temperature(2.0).into(),
        JensenShannon::from_logits(Form::Probs).into(),
        JensenShannon::from_logits(Form::Logits).temperature(2.0).into(),
        TotalVariation::from_logits(Form::Probs).into(),
        TotalVariation::from_logits(Form::Logits).temperature(2.0).into(),
        SoftmaxFocal::new(2.0).into(),
        Entropy::of_logits().into()
    )]
    loss: Loss,
    #[values([f32::NAN, 0.0, 1.0], [0.0, f32::NAN, 1.0], [0.0, 1.0, INF], [NEG_INF; 3], [INF; 3], [f32::NAN; 3])]
    bad: [f32; 3],
) {
    let good = [0.5, -1.0, 2.0];
    let sound = two_rows(&loss, [good, good].concat().try_into().expect("six logits"));
    for (n, rows) in [(0, [bad, good]), (1, [good, bad])] {
        let case = two_rows(&loss, rows.concat().try_into().expect("six logits"));
        let backward = numbers(&case.evaluate_backward().dlogits.expect("this pass has a gradient"));
        for (found, expected) in
            [(case.losses(), sound.losses()), (case.gradient(), sound.gradient()), (backward, sound.gradient())]
        {
            assert!(row(&found, n).iter().all(|v| v.is_nan()), "{}: row {n} is {found:?}", case.name);
            // Backward starts from a state rounded to f32.
            assert_close(&case.name, row(&found, 1 - n), row(&expected, 1 - n), 1e-6);
        }
    }
}

#[rstest]
fn an_element_without_a_value_is_nan_and_leaves_the_others_alone(
    #[values(
        BinaryCrossEntropy::new().pos_weight(2.0).into(),
        SigmoidFocal::new(0.0).into(),
        SigmoidFocal::new(2.0).alpha(0.25).into()
    )]
    loss: Loss,
) {
    let (good, bad) = ([0.5, -1.0, 2.0, 0.25, 3.0, -2.0], [0.5, -1.0, 2.0, f32::NAN, 3.0, -2.0]);
    let mask = |mut numbers: Vec<f64>| {
        numbers[3] = f64::NAN;
        numbers
    };
    let (case, sound) = (two_rows(&loss, bad), two_rows(&loss, good));
    assert_close(&case.name, &case.losses(), &mask(sound.losses()), 0.0);
    assert_close(&case.name, &case.gradient(), &mask(sound.gradient()), 0.0);
}

/// Logits 0, -inf, 0 are a softmax over two classes.
#[rstest]
#[case(CrossEntropy::new())]
#[case(SoftmaxFocal::new(2.0))]
fn a_masked_target_costs_infinity_with_a_finite_gradient(#[case] loss: impl Into<Loss>) {
    let case = case(loss, 3, &[0.0, NEG_INF, 0.0]).labels(&[1]);
    assert_close(&case.name, &case.losses(), &[f64::INFINITY], 0.0);
    assert_close(&case.name, &case.gradient(), &[0.5, -1.0, 0.5], ULPS);
}

#[test]
fn a_masked_target_of_weight_zero_costs_nothing() {
    let loss = CrossEntropy::new().class_weights([1.0, 0.0, 1.0]).reduction(Reduction::Sum);
    let masked = case(loss, 3, &[0.0, NEG_INF, 0.0]).labels(&[1]);
    assert_close("loss", &masked.losses(), &[0.0], 0.0);
    assert_close("gradient", &masked.gradient(), &[0.0; 3], 0.0);
    let focal = case(SoftmaxFocal::new(0.0).alpha([1.0, 0.0, 1.0]), 3, &[0.0, NEG_INF, 0.0]).labels(&[1]);
    assert_close("focal", &focal.losses(), &[0.0], 0.0);
    assert_close("focal gradient", &focal.gradient(), &[0.0; 3], 0.0);
}

#[rstest]
#[case(CrossEntropy::new(), LN_2)]
#[case(SoftmaxFocal::new(1.0), LN_2 / 2.0)]
fn a_masked_class_contributes_nothing(#[case] loss: impl Into<Loss>, #[case] expected: f64) {
    let case = case(loss, 3, &[0.0, NEG_INF, 0.0]).labels(&[2]);
    assert_close(&case.name, &case.losses(), &[expected], ULPS);
    assert_eq!(case.gradient()[1], 0.0, "{}", case.name);
    assert!(case.gradient().iter().all(|g| g.is_finite()), "{}: {:?}", case.name, case.gradient());
}

#[test]
fn masked_logits_have_probability_zero_and_entropy_of_the_rest() {
    let logits = [0.0, NEG_INF, 0.0];
    let close = |what: &str, found: &[f64], expected: &[f64]| assert_close(what, found, expected, ULPS);
    close("softmax", &case(Loss::Softmax, 3, &logits).losses(), &[0.5, 0.0, 0.5]);
    close("log-softmax", &case(Loss::LogSoftmax, 3, &logits).losses(), &[-LN_2, f64::NEG_INFINITY, -LN_2]);
    close("entropy", &case(Entropy::of_logits(), 3, &logits).losses(), &[LN_2]);
    close("entropy gradient", &case(Entropy::of_logits(), 3, &logits).gradient(), &[0.0; 3]);
    let g = [1.0, 2.0, 3.0];
    close("softmax gradient", &case(Loss::Softmax, 3, &logits).dloss(&g).gradient(), &[-0.5, 0.0, 0.5]);
    close("log-softmax gradient", &case(Loss::LogSoftmax, 3, &logits).dloss(&g).gradient(), &[-2.0, 2.0, 0.0]);
}

/// eps 1/4 over C = 3: gradient `3/4 (p - [i=2]) + 1/12 (3 p - 1)`, p = (1/2, 0, 1/2).
#[test]
fn smoothing_onto_a_masked_class_costs_infinity_with_a_finite_gradient() {
    let smooth = CrossEntropy::new().label_smoothing(0.25);
    let masked = case(smooth, 3, &[0.0, NEG_INF, 0.0]).labels(&[2]);
    assert_close("loss", &masked.losses(), &[f64::INFINITY], 0.0);
    assert_close("gradient", &masked.gradient(), &[5.0 / 12.0, -1.0 / 12.0, -1.0 / 3.0], ULPS);
}

/// Weights 1, 0, 1: `3/4 log 2 + 1/12 2 log 2`.
#[test]
fn smoothing_skips_a_masked_class_of_weight_zero() {
    let smooth = CrossEntropy::new().label_smoothing(0.25).class_weights([1.0, 0.0, 1.0]);
    let masked = case(smooth, 3, &[0.0, NEG_INF, 0.0]).labels(&[2]);
    assert_close("loss", &masked.losses(), &[LN_2 * 11.0 / 12.0], ULPS);
    assert_eq!(masked.gradient()[1], 0.0);
}

#[rstest]
#[case(SoftCrossEntropy::new(), LN_2)]
#[case(KlDivergence::from_logits(Form::Probs), 0.0)]
fn a_masked_logit_under_no_mass_does_no_harm(#[case] loss: impl Into<Loss>, #[case] expected: f64) {
    let case = case(loss, 3, &[0.0, NEG_INF, 0.0]).values(&[0.5, 0.0, 0.5]);
    assert_close(&case.name, &case.losses(), &[expected], ULPS);
    assert_close(&case.name, &case.gradient(), &[0.0; 3], ULPS);
}

#[rstest]
#[case(SoftCrossEntropy::new())]
#[case(KlDivergence::from_logits(Form::Probs))]
fn a_masked_logit_under_mass_costs_infinity_with_a_finite_gradient(#[case] loss: impl Into<Loss>) {
    let case = case(loss, 3, &[0.0, NEG_INF, 0.0]).values(&[0.25, 0.5, 0.25]);
    assert_close(&case.name, &case.losses(), &[f64::INFINITY], 0.0);
    assert_close(&case.name, &case.gradient(), &[0.25, -0.5, 0.25], ULPS);
}

/// P = (1/2, 0, 1/2) in each form; Q = (1/2, q, 1/2) unnormalised, given as log-probabilities.
#[rstest]
fn kl_skips_classes_without_mass(
    #[values(NEG_INF, -1.0, 0.0)] log_q: f32,
    #[values(Form::Probs, Form::LogProbs, Form::Logits)] target: Form,
) {
    let half = 0.5_f32.ln();
    let p = match target {
        Form::Probs => [0.5, 0.0, 0.5],
        Form::LogProbs => [half, NEG_INF, half],
        Form::Logits => [0.0, NEG_INF, 0.0],
    };
    let kl = case(KlDivergence::from_log_probs(target), 3, &[half, log_q, half]).values(&p);
    let name = format!("{target:?}, log q {log_q}");
    assert_close(&name, &kl.losses(), &[0.0], 1e-7);
    assert_close(&name, &kl.gradient(), &[-0.5, 0.0, -0.5], 1e-7);
}

#[rstest]
fn a_nan_among_the_targets_makes_its_row_nan(
    #[values(Form::Logits, Form::LogProbs)] input: Form,
    #[values((Form::Probs, 0.5), (Form::LogProbs, -0.5), (Form::Logits, -0.5))] (target, y): (Form, f32),
) {
    for loss in each_divergence(input, target) {
        let loss = with_reduction(&loss, Reduction::None);
        let sound = case(&loss, 2, &[0.0; 4]).values(&[y; 4]);
        let nan = case(&loss, 2, &[0.0; 4]).values(&[y, y, y, f32::NAN]);
        assert_close(&nan.name, &nan.losses(), &[sound.losses()[0], f64::NAN], 0.0);
        let gradient = [&sound.gradient()[..2], &[f64::NAN; 2]].concat();
        assert_close(&nan.name, &nan.gradient(), &gradient, 0.0);
    }
}

#[test]
fn a_negative_probability_makes_its_row_nan() {
    for loss in each_divergence(Form::Logits, Form::Probs) {
        let negative = case(loss, 2, &[0.0; 2]).values(&[1.5, -0.5]);
        assert_close(&negative.name, &negative.losses(), &[f64::NAN], 0.0);
        assert_close(&negative.name, &negative.gradient(), &[f64::NAN; 2], 0.0);
    }
}

#[rstest]
fn a_soft_label_out_of_range_makes_its_element_nan(#[values(-0.5, 1.5)] y: f32) {
    let loss = SigmoidFocal::new(2.0).reduction(Reduction::None);
    let outside = case(loss, 2, &[0.5, 1.0]).values(&[y, 1.0]);
    assert!(outside.losses()[0].is_nan() && !outside.losses()[1].is_nan(), "{:?}", outside.losses());
    assert!(outside.gradient()[0].is_nan() && !outside.gradient()[1].is_nan(), "{:?}", outside.gradient());
}

/// P = (p, 1-p) in each form; Q = (1/4, 3/4), or without a first class.
#[rstest]
fn the_gradient_of_a_teacher_is_infinite_where_the_formula_is(
    #[values(Form::Logits, Form::LogProbs)] input: Form,
    #[values(Form::Probs, Form::LogProbs, Form::Logits)] target: Form,
) {
    let loss = match input {
        Form::Logits => KlDivergence::from_logits(target),
        _ => KlDivergence::from_log_probs(target),
    };
    let of = |student: &[f32; 2], teacher: &[f32; 2]| case(loss.clone().teacher_gradient(), 2, student).values(teacher);
    let half = if target == Form::Probs { [0.5; 2] } else { [-(2.0_f32.ln()); 2] };
    let without_p = of(&[-0.5; 2], &masked(target, false)).teacher_gradient();
    let without_q = of(&masked(input, false), &half).teacher_gradient();
    let without_both = of(&masked(input, false), &masked(target, false)).teacher_gradient();
    let expected = match target {
        Form::Probs => (f64::NEG_INFINITY, f64::INFINITY),
        Form::LogProbs => (0.0, f64::INFINITY),
        Form::Logits => (0.0, f64::NAN),
    };
    assert_close("no p", &without_p[..1], &[expected.0], 0.0);
    assert_close("no q", &without_q[..1], &[expected.1], 0.0);
    assert_close("neither", &without_both[..1], &[0.0], 0.0);
    assert!(without_p[1].is_finite() && without_both[1].is_finite(), "{without_p:?}, {without_both:?}");
}

/// P and Q over the first class, or none of it, in every form they may have.
fn masked(form: Form, first: bool) -> [f32; 2] {
    let (one, none) = match form {
        Form::Probs => (1.0, 0.0),
        Form::LogProbs => (0.0, NEG_INF),
        Form::Logits => (0.5, NEG_INF),
    };
    if first { [one, none] } else { [none, one] }
}

#[rstest]
fn reverse_kl_is_infinite_where_only_ours_has_mass(
    #[values(Form::Logits, Form::LogProbs)] input: Form,
    #[values(Form::Probs, Form::LogProbs, Form::Logits)] target: Form,
) {
    let [_, loss, ..] = each_divergence(input, target);
    let missed = case(loss, 2, &[-0.5; 2]).values(&masked(target, true));
    assert_close(&missed.name, &missed.losses(), &[f64::INFINITY], 0.0);
    assert_close(&missed.name, &missed.gradient(), &[f64::NAN; 2], 0.0);
    let backward = numbers(&missed.evaluate_backward().dlogits.expect("this pass has a gradient"));
    assert_close(&missed.name, &backward, &[f64::NAN; 2], 0.0);
}

/// Q = (1, 0) against P = (1/2, 1/2) and against itself.
#[rstest]
fn reverse_kl_skips_classes_without_mass(#[values(Form::Logits, Form::LogProbs)] input: Form) {
    let [_, loss, ..] = each_divergence(input, Form::Probs);
    for (p, expected) in [([0.5; 2], LN_2), ([1.0, 0.0], 0.0)] {
        let kl = case(&loss, 2, &masked(input, true)).values(&p);
        assert_close(&kl.name, &kl.losses(), &[expected], ULPS);
        assert_eq!(kl.gradient()[1], 0.0, "{}", kl.name);
        assert!(kl.gradient()[0].is_finite(), "{}", kl.name);
    }
}

/// P = (1, 0) and Q = (0, 1): M is (beta, 1-beta), the divergence the entropy of that, and the distance 1.
#[rstest]
fn distributions_without_a_class_in_common_are_as_far_apart_as_can_be(
    #[values(Form::Logits, Form::LogProbs)] input: Form,
    #[values(Form::Probs, Form::LogProbs, Form::Logits)] target: Form,
) {
    let [_, _, jensen_shannon, total_variation] = each_divergence(input, target);
    let apart = |loss| case(loss, 2, &masked(input, false)).values(&masked(target, true));
    let (js, tv) = (apart(jensen_shannon), apart(total_variation));
    assert_close(&js.name, &js.losses(), &[-(0.25 * 0.25_f64.ln() + 0.75 * 0.75_f64.ln())], ULPS);
    assert_close(&tv.name, &tv.losses(), &[1.0], ULPS);
    // With respect to log-probabilities (1-beta) q log(q/M) and 1/2 sign(q - p) q.
    let (js_slope, tv_slope) = if input == Form::Logits { (0.0, 0.0) } else { (-0.75 * 0.75_f64.ln(), 0.5) };
    assert_close(&js.name, &js.gradient(), &[0.0, js_slope], ULPS);
    assert_close(&tv.name, &tv.gradient(), &[0.0, tv_slope], ULPS);
}

#[rstest]
fn jensen_shannon_at_either_end_of_beta_is_0(#[values(0.0, 1.0)] beta: f32) {
    let logits = [0.5, -1.0, 2.0, 0.0, NEG_INF, 0.5, NEG_INF, 0.0, 1.0];
    let teacher = [1.5, 0.0, -2.0, 0.5, 0.0, 0.0, 0.0, NEG_INF, 1.0];
    let loss = JensenShannon::from_logits(Form::Logits).beta(beta).reduction(Reduction::None);
    let end = case(loss, 3, &logits).values(&teacher);
    assert_close(&end.name, &end.losses(), &[0.0; 3], 0.0);
    assert_close(&end.name, &end.gradient(), &[0.0; 9], 0.0);
}

/// x, y, loss, gradient.
#[rstest]
#[case(INF, 1.0, 0.0, 0.0)]
#[case(NEG_INF, 0.0, 0.0, 0.0)]
#[case(INF, 0.0, f64::INFINITY, 1.0)]
#[case(NEG_INF, 1.0, f64::INFINITY, -1.0)]
#[case(INF, 0.25, f64::INFINITY, 0.75)]
fn infinite_logits_follow_the_formula_of_binary_cross_entropy(
    #[case] x: f32,
    #[case] y: f32,
    #[case] loss: f64,
    #[case] gradient: f64,
) {
    for bce in [Loss::from(BinaryCrossEntropy::new()), SigmoidFocal::new(0.0).into()] {
        let case = case(bce, 1, &[x]).values(&[y]);
        assert_close(&format!("{}, y = {y}", case.name), &case.losses(), &[loss], 0.0);
        assert_close(&format!("{}, y = {y}", case.name), &case.gradient(), &[gradient], 0.0);
    }
}

#[rstest]
fn infinite_logits_follow_the_formula_of_sigmoid_focal(#[values(0.5, 1.0, 2.0)] gamma: f32) {
    for (x, y, loss, gradient) in [
        (INF, 1.0, 0.0, 0.0),
        (NEG_INF, 0.0, 0.0, 0.0),
        (INF, 0.0, f64::INFINITY, 1.0),
        (NEG_INF, 1.0, f64::INFINITY, -1.0),
    ] {
        let case = case(SigmoidFocal::new(gamma), 1, &[x]).values(&[y]);
        assert_close(&format!("{}, y = {y}", case.name), &case.losses(), &[loss], 0.0);
        assert_close(&format!("{}, y = {y}", case.name), &case.gradient(), &[gradient], 0.0);
    }
}

/// p, y, loss, gradient: the logarithm is at least -100, and p (1-p) at least 1e-12 as an f32.
#[rstest]
#[case(0.0, 0.0, 0.0, 0.0)]
#[case(1.0, 1.0, 0.0, 0.0)]
#[case(0.0, 1.0, 100.0, -1.0 / 1e-12_f32 as f64)]
#[case(1.0, 0.0, 100.0, 1.0 / 1e-12_f32 as f64)]
#[case(0.0, 0.25, 25.0, -0.25 / 1e-12_f32 as f64)]
#[case(1.0, 0.25, 75.0, 0.75 / 1e-12_f32 as f64)]
#[case(1e-45, 1.0, 100.0, -1.0 / 1e-12_f32 as f64)]
#[case(0.5, 0.5, LN_2, 0.0)]
#[case(f32::NAN, 0.5, f64::NAN, f64::NAN)]
#[case(-1e-45, 0.5, f64::NAN, f64::NAN)]
#[case(1.0 + f32::EPSILON, 0.5, f64::NAN, f64::NAN)]
#[case(0.5, f32::NAN, f64::NAN, f64::NAN)]
fn binary_cross_entropy_of_probabilities_is_clamped_like_pytorchs(
    #[case] p: f32,
    #[case] y: f32,
    #[case] loss: f64,
    #[case] gradient: f64,
) {
    let case = case(BinaryCrossEntropy::of_probs(), 1, &[p]).values(&[y]);
    assert_close(&format!("{}, y = {y}", case.name), &case.losses(), &[loss], 0.0);
    assert_close(&format!("{}, y = {y}", case.name), &case.gradient(), &[gradient], gradient.abs() * ULPS);
}

#[test]
fn an_element_of_weight_zero_costs_nothing_at_infinity() {
    let bce =
        case(BinaryCrossEntropy::new(), 2, &[INF, 0.0]).values(&[0.0, 0.0]).weights(&[0.0, 1.0], Broadcast::PerClass);
    assert_close("loss", &bce.losses(), &[LN_2 / 2.0], ULPS);
    assert_close("gradient", &bce.gradient(), &[0.0, 0.25], ULPS);
}

#[test]
fn probability_zero_adds_no_entropy() {
    assert_close("entropy", &case(Entropy::of_probs(), 3, &[0.5, 0.0, 0.5]).losses(), &[LN_2], ULPS);
}

/// Labels that host checks would have refused; gradient without the divisor: (-1/2, 1/2).
#[rstest]
#[case::ignoring(CrossEntropy::new().ignore_index(-100))]
#[case::weighted(CrossEntropy::new().class_weights([1.0, 1.0]))]
#[case::focal_ignoring(SoftmaxFocal::new(0.0).alpha(1.0).ignore_index(-100))]
fn a_label_out_of_range_poisons_its_row_and_weighs_nothing(
    #[case] loss: impl Into<Loss>,
    #[values(2, -1, i32::MAX, i32::MIN)] label: i32,
) {
    let loss = loss.into();
    let mean = case(&loss, 2, &[0.0; 6]).labels(&[0, label, 1]);
    let name = format!("{}, label {label}", mean.name);
    let rows = Case { loss: with_reduction(&loss, Reduction::None), ..mean.clone() };
    assert_close(&name, &rows.losses(), &[LN_2, f64::NAN, LN_2], ULPS);
    assert_close(&name, &mean.losses(), &[f64::NAN], 0.0);
    assert_close(&name, &mean.gradient(), &[-0.25, 0.25, f64::NAN, f64::NAN, 0.25, -0.25], ULPS);
}

/// The divisor is known before the labels are read; the mean itself is NaN.
#[rstest]
#[case(CrossEntropy::new())]
#[case(SoftmaxFocal::new(0.0).alpha(1.0))]
fn without_ignore_index_and_weights_every_row_counts(#[case] loss: impl Into<Loss>) {
    let mean = case(loss, 2, &[0.0; 6]).labels(&[0, 2, 1]);
    let sixth = 1.0 / 6.0;
    assert_close(&mean.name, &mean.losses(), &[f64::NAN], 0.0);
    assert_close(&mean.name, &mean.gradient(), &[-sixth, sixth, f64::NAN, f64::NAN, sixth, -sixth], ULPS);
}

#[test]
fn a_batch_of_labels_out_of_range_has_no_mean() {
    let nan = case(CrossEntropy::new().ignore_index(-100), 2, &[0.0; 4]).labels(&[2, -1]);
    assert_close("loss", &nan.losses(), &[f64::NAN], 0.0);
}

#[rstest]
#[case(CrossEntropy::new().ignore_index(-100))]
#[case(CrossEntropy::new().ignore_index(-100).label_smoothing(0.5).class_weights([2.0, 1.0]))]
#[case(SoftmaxFocal::new(2.0).ignore_index(-100))]
#[case(NegativeLogLikelihood::new().ignore_index(-100).class_weights([2.0, 1.0]))]
fn a_batch_all_ignored_has_sum_zero_and_mean_nan(#[case] loss: impl Into<Loss>) {
    let loss = loss.into();
    for (reduction, expected) in [(Reduction::Sum, 0.0), (Reduction::Mean, f64::NAN)] {
        let ignored = case(with_reduction(&loss, reduction), 2, &[0.5, 1.0, -1.0, f32::NAN]).labels(&[-100, -100]);
        assert_close(&ignored.name, &ignored.losses(), &[expected], 0.0);
        assert_close(&ignored.name, &ignored.gradient(), &[0.0; 4], 0.0);
    }
}

#[rstest]
#[case(CrossEntropy::new())]
#[case(CrossEntropy::new().class_weights([1.0, 2.0]))]
#[case(SoftmaxFocal::new(2.0))]
#[case(NegativeLogLikelihood::new())]
#[case(SoftCrossEntropy::new())]
#[case(KlDivergence::from_logits(Form::Probs))]
#[case(ReverseKlDivergence::from_logits(Form::Probs))]
#[case(JensenShannon::from_log_probs(Form::Logits))]
#[case(TotalVariation::from_logits(Form::Logits))]
#[case(BinaryCrossEntropy::new())]
#[case(BinaryCrossEntropy::of_probs())]
#[case(SigmoidFocal::new(2.0))]
#[case(Entropy::of_logits())]
#[case(Entropy::of_probs())]
fn an_empty_batch_has_sum_zero_and_mean_nan(#[case] loss: impl Into<Loss>) {
    let loss = loss.into();
    for (reduction, expected) in [(Reduction::None, &[][..]), (Reduction::Sum, &[0.0]), (Reduction::Mean, &[f64::NAN])]
    {
        let mut empty = case(with_reduction(&loss, reduction), 2, &[]);
        (empty.labels, empty.values) = match loss {
            _ if ignored(&loss).is_some() => (Some(Vec::new()), None),
            Loss::Entropy(_) => (None, None),
            _ => (None, Some(Vec::new())),
        };
        assert_close(&empty.name, &empty.losses(), expected, 0.0);
        assert_close(&empty.name, &empty.gradient(), &[], 0.0);
    }
}

/// Weights 1 and -1 of the two targets cancel in the divisor; so does a divisor the caller gives as 0.
#[test]
fn a_zero_divisor_has_mean_nan_and_gradient_zero() {
    let weights = CrossEntropy::new().class_weights([1.0, -1.0]);
    let mut input = case(CrossEntropy::new().reduction(Reduction::SumDividedByInput), 2, &[0.5; 4]).labels(&[0, 1]);
    input.divisor = Some(0.0);
    let number = case(CrossEntropy::new().reduction(Reduction::SumDividedBy(0.0)), 2, &[0.5; 4]).labels(&[0, 1]);
    for zero in [case(weights, 2, &[0.5; 4]).labels(&[0, 1]), input, number] {
        assert_close(&zero.name, &zero.losses(), &[f64::NAN], 0.0);
        assert_close(&zero.name, &zero.gradient(), &[0.0; 4], 0.0);
    }
}

#[rstest]
fn one_class_costs_nothing(#[values(-7.5, 0.0, f32::MIN, f32::MAX)] x: f32) {
    for gamma in [0.0, 0.5, 1.0, 2.0, 3.7] {
        assert_costs_nothing(case(SoftmaxFocal::new(gamma).alpha(0.5), 1, &[x]).labels(&[0]));
    }
    for eps in [0.0, 0.5] {
        assert_costs_nothing(case(CrossEntropy::new().label_smoothing(eps), 1, &[x]).labels(&[0]));
    }
    assert_costs_nothing(case(SoftCrossEntropy::new(), 1, &[x]).values(&[1.0]));
    for loss in each_divergence(Form::Logits, Form::Probs) {
        assert_costs_nothing(case(loss, 1, &[x]).values(&[1.0]));
    }
    assert_costs_nothing(case(Entropy::of_logits(), 1, &[x]));
}

#[track_caller]
fn assert_costs_nothing(case: Case) {
    assert_close(&case.name, &case.losses(), &[0.0], 0.0);
    assert_close(&case.name, &case.gradient(), &[0.0], 0.0);
}

#[test]
fn logits_at_both_ends_of_f32_have_finite_losses() {
    let ends = case(CrossEntropy::new().reduction(Reduction::None), 2, &[f32::MAX, f32::MIN, f32::MAX, f32::MIN]);
    let ends = ends.labels(&[0, 1]);
    assert_close("losses", &ends.losses(), &[0.0, 2.0 * f64::from(f32::MAX)], 0.0);
    assert_close("gradient", &ends.gradient(), &[0.0, 0.0, 1.0, -1.0], 0.0);
    let state = numbers(&ends.evaluate(Pass::Forward).row_state.expect("a forward pass saves its state"));
    assert_close("row state (m, D)", &state, &[f64::from(f32::MAX), 0.0, f64::from(f32::MAX), 0.0], 0.0);
}
