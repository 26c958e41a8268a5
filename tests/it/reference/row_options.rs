//! Row options against what they are made of.

use rstest::rstest;
use surprisal::{
    CrossEntropy, Entropy, Form, KlDivergence, Loss, Pass, Reduction, RowWeights, Side, Smoothing, SoftCrossEntropy,
    SoftmaxFocal,
};

use crate::support::case::{Case, case};
use crate::support::compare::{assert_close, numbers};

/// Three rows of four classes; every number is exact in f32, and so are its halves.
const LOGITS: [f32; 12] = [0.5, -1.25, 2.0, 0.0, 3.0, 2.75, -4.5, 1.0, -0.25, 5.0, 0.75, -2.0];
const LABELS: [i32; 3] = [2, 0, 3];
const WEIGHTS: [f32; 4] = [0.5, 2.0, 1.25, 0.75];
/// A few units of f64 rounding on sums of terms below 64.
const BOUND: f64 = 1e-13;

fn ce() -> CrossEntropy {
    CrossEntropy::new()
}

fn on(loss: impl Into<Loss>, logits: &[f32]) -> Case {
    case(loss, 4, logits).labels(&LABELS)
}

fn each(loss: impl Into<Loss>) -> Case {
    let mut loss = loss.into();
    match &mut loss {
        Loss::CrossEntropy(spec) => spec.reduction = Reduction::None,
        Loss::SoftmaxFocal(spec) => spec.reduction = Reduction::None,
        other => panic!("{other:?} has no row options"),
    }
    on(loss, &LOGITS)
}

/// `softmax(x)` of a row, in f64.
fn softmax(x: &[f64]) -> Vec<f64> {
    let sum: f64 = x.iter().map(|x| x.exp()).sum();
    x.iter().map(|x| x.exp() / sum).collect()
}

fn rows() -> impl Iterator<Item = (Vec<f64>, usize)> {
    let rows = LOGITS.chunks(4).map(|row| row.iter().map(|&x| f64::from(x)).collect());
    rows.zip(LABELS.map(|label| label as usize))
}

#[test]
fn a_temperature_divides_the_logits() {
    let halved: Vec<f32> = LOGITS.iter().map(|x| x / 2.0).collect();
    for (warm, cold) in [
        (Loss::from(ce().temperature(2.0).label_smoothing(0.25)), Loss::from(ce().label_smoothing(0.25))),
        (SoftmaxFocal::new(1.5).temperature(2.0).into(), SoftmaxFocal::new(1.5).into()),
    ] {
        let (warm, cold) = (on(warm, &LOGITS), on(cold, &halved));
        assert_close(&warm.name, &warm.losses(), &cold.losses(), BOUND);
        let half: Vec<f64> = cold.gradient().iter().map(|g| g / 2.0).collect();
        assert_close(&warm.name, &warm.gradient(), &half, BOUND);
    }
}

#[test]
fn a_soft_cap_bends_the_logits() {
    let capped = each(ce().softcap(3.0));
    let expected = rows().map(|(x, t)| -softmax(&x.iter().map(|x| 3.0 * (x / 3.0).tanh()).collect::<Vec<_>>())[t].ln());
    assert_close(&capped.name, &capped.losses(), &expected.collect::<Vec<_>>(), BOUND);
}

#[test]
fn z_loss_adds_the_square_of_lse() {
    let (with, without) = (each(ce().z_loss(0.25)), each(ce()));
    let squares = rows().map(|(x, _)| 0.25 * x.iter().map(|x| x.exp()).sum::<f64>().ln().powi(2));
    let expected: Vec<f64> = without.losses().iter().zip(squares).map(|(loss, square)| loss + square).collect();
    assert_close(&with.name, &with.losses(), &expected, BOUND);
}

#[test]
fn poly1_adds_the_probability_of_the_other_classes() {
    let (with, without) = (each(ce().poly1(-0.5)), each(ce()));
    let others = rows().map(|(x, t)| -0.5 * (1.0 - softmax(&x)[t]));
    let expected: Vec<f64> = without.losses().iter().zip(others).map(|(loss, others)| loss + others).collect();
    assert_close(&with.name, &with.losses(), &expected, BOUND);
}

/// The target keeps 1 - eps, every other class has eps/(C-1).
#[test]
fn smoothing_over_other_classes_leaves_the_target_the_rest() {
    let loss = each(ce().label_smoothing(0.375).smoothing(Smoothing::OtherClasses).class_weights(WEIGHTS));
    let expected = rows().map(|(x, t)| {
        let target = |c| if c == t { 0.625 } else { 0.125 };
        softmax(&x).iter().enumerate().map(|(c, p)| -target(c) * f64::from(WEIGHTS[c]) * p.ln()).sum::<f64>()
    });
    assert_close(&loss.name, &loss.losses(), &expected.collect::<Vec<_>>(), BOUND);
}

#[test]
fn several_labels_may_be_ignored() {
    let case = on(ce().ignore_index(2).ignore_index(0), &LOGITS);
    let only = each(ce()).losses()[2];
    assert_close(&case.name, &case.losses(), &[only], BOUND);
    assert_eq!(case.gradient()[..8], [0.0; 8], "{}", case.name);
}

#[rstest]
#[case(RowWeights::Scale, [2.0, 0.0, -0.5], 3.0)]
#[case(RowWeights::Mask, [2.0, 0.0, -0.5], 2.0)]
#[case(RowWeights::Count, [2.0, 0.0, -0.5], 1.5)]
fn row_weights_scale_and_count_as_told(#[case] counted: RowWeights, #[case] weights: [f32; 3], #[case] divisor: f64) {
    let case = on(ce().row_weights(counted), &LOGITS).row_weights(&weights);
    let row_losses = each(ce());
    let weighed = |values: &[f64], width: usize| -> Vec<f64> {
        values.iter().enumerate().map(|(i, value)| value * f64::from(weights[i / width]) / divisor).collect()
    };
    assert_close(&case.name, &case.losses(), &[weighed(&row_losses.losses(), 1).iter().sum()], BOUND);
    assert_close(&case.name, &case.gradient(), &weighed(&row_losses.gradient(), 4), BOUND);
}

#[test]
fn a_row_of_weight_zero_is_silent_whatever_its_logits() {
    let mut logits = LOGITS;
    logits[4..8].fill(f32::NAN);
    let sound = on(ce().row_weights(RowWeights::Mask), &LOGITS).row_weights(&[1.0, 0.0, 1.0]);
    let case = on(ce().row_weights(RowWeights::Mask), &logits).row_weights(&[1.0, 0.0, 1.0]);
    assert_close(&case.name, &case.losses(), &sound.losses(), 0.0);
    assert_close(&case.name, &case.gradient(), &sound.gradient(), 0.0);
}

/// With the labels as distributions; a row of weight 0 has no number at all.
#[rstest]
fn row_weights_weigh_distributions_as_they_do_labels(
    #[values(RowWeights::Scale, RowWeights::Mask, RowWeights::Count)] counted: RowWeights,
) {
    let weights = [2.0, 0.0, -0.5];
    let mut logits = LOGITS;
    logits[4..8].fill(f32::NAN);
    let one_hot: Vec<f32> = LABELS.iter().flat_map(|&t| (0..4).map(move |c| f32::from(u8::from(c == t)))).collect();
    let labels = on(ce().row_weights(counted), &logits).row_weights(&weights);
    // Of a distribution without entropy the divergence is the cross-entropy; BatchMean counts rows.
    let losses: [Loss; 2] = [
        SoftCrossEntropy::new().row_weights(counted).into(),
        KlDivergence::from_logits(Form::Probs).row_weights(counted).into(),
    ];
    for loss in losses {
        let soft = case(loss, 4, &logits).values(&one_hot).row_weights(&weights);
        assert_close(&soft.name, &soft.losses(), &labels.losses(), BOUND);
        assert_close(&soft.name, &soft.gradient(), &labels.gradient(), BOUND);
    }
}

#[rstest]
#[case(Reduction::Mean, RowWeights::Scale, 12.0)]
#[case(Reduction::Mean, RowWeights::Mask, 8.0)]
#[case(Reduction::Mean, RowWeights::Count, 6.0)]
#[case(Reduction::BatchMean, RowWeights::Scale, 3.0)]
#[case(Reduction::BatchMean, RowWeights::Mask, 2.0)]
#[case(Reduction::BatchMean, RowWeights::Count, 1.5)]
fn masked_rows_leave_the_divisor_of_a_divergence(
    #[case] reduction: Reduction,
    #[case] counted: RowWeights,
    #[case] divisor: f64,
) {
    let weights = [2.0, 0.0, -0.5];
    let teacher: Vec<f32> = LOGITS.iter().rev().copied().collect();
    let of = |loss: KlDivergence| case(loss, 4, &LOGITS).values(&teacher);
    let kl = KlDivergence::from_logits(Form::Logits);
    let each = of(kl.clone().reduction(Reduction::None)).losses();
    let sum: f64 = each.iter().zip(weights).map(|(loss, weight)| loss * f64::from(weight)).sum();
    let weighed = of(kl.row_weights(counted).reduction(reduction)).row_weights(&weights);
    assert_close(&weighed.name, &weighed.losses(), &[sum / divisor], BOUND);
}

#[test]
fn entropies_are_weighed_row_by_row() {
    let each = case(Entropy::of_logits().reduction(Reduction::None), 4, &LOGITS).losses();
    let weighed = case(Entropy::of_logits().row_weights(RowWeights::Count), 4, &LOGITS).row_weights(&[0.5, 0.0, 2.0]);
    assert_close(&weighed.name, &weighed.losses(), &[(0.5 * each[0] + 2.0 * each[2]) / 2.5], BOUND);
}

/// Cross-entropy over the sum of its class weights; z-loss and poly-1 over the number of rows kept.
#[test]
fn z_loss_and_poly1_have_a_divisor_of_their_own() {
    let kept = || ce().ignore_index(0);
    let weighted = on(kept().class_weights(WEIGHTS), &LOGITS);
    let extras = on(kept().z_loss(0.25).poly1(0.5), &LOGITS);
    let plain = on(kept(), &LOGITS);
    let all = on(kept().class_weights(WEIGHTS).z_loss(0.25).poly1(0.5), &LOGITS);
    let sum = |of: fn(&Case) -> Vec<f64>| -> Vec<f64> {
        let (weighted, extras, plain) = (of(&weighted), of(&extras), of(&plain));
        weighted.iter().zip(&extras).zip(&plain).map(|((weighted, extras), plain)| weighted + extras - plain).collect()
    };
    assert_close(&all.name, &all.losses(), &sum(Case::losses), BOUND);
    assert_close(&all.name, &all.gradient(), &sum(Case::gradient), BOUND);
}

/// Of logits that are capped beforehand, and of a teacher's, which has the cap in common.
#[test]
fn a_soft_cap_bends_the_logits_of_both_distributions() {
    let teacher: Vec<f32> = LOGITS.iter().rev().copied().collect();
    let kl = KlDivergence::from_logits(Form::Logits).softcap(3.0).temperature(2.0).reduction(Reduction::None);
    let capped = case(kl, 4, &LOGITS).values(&teacher);
    let map = |x: &[f32]| softmax(&x.iter().map(|&x| 3.0 * (f64::from(x) / 3.0).tanh() / 2.0).collect::<Vec<_>>());
    let expected = LOGITS
        .chunks(4)
        .zip(teacher.chunks(4))
        .map(|(x, z)| map(z).iter().zip(map(x)).map(|(p, q)| p * (p / q).ln()).sum::<f64>());
    assert_close(&capped.name, &capped.losses(), &expected.collect::<Vec<_>>(), BOUND);
}

/// Whatever the divergence is divided by and T^2 makes of it.
#[rstest]
#[case(Reduction::Mean)]
#[case(Reduction::BatchMean)]
fn z_loss_beside_a_divergence_is_a_mean_over_rows(#[case] reduction: Reduction) {
    let teacher: Vec<f32> = LOGITS.iter().rev().copied().collect();
    let of = |loss: KlDivergence| case(loss.reduction(reduction), 4, &LOGITS).values(&teacher);
    let kl = KlDivergence::from_logits(Form::Logits).temperature(2.0).scaled_by_t_squared();
    let (with, without) = (of(kl.clone().z_loss(0.25)), of(kl));
    let lse = |x: &[f64]| x.iter().map(|x| (x / 2.0).exp()).sum::<f64>().ln();
    let mean = rows().map(|(x, _)| 0.25 * lse(&x).powi(2)).sum::<f64>() / 3.0;
    assert_close(&with.name, &with.losses(), &[without.losses()[0] + mean], BOUND);
    let slope = rows().flat_map(|(x, _)| {
        let halves: Vec<f64> = x.iter().map(|x| x / 2.0).collect();
        let z = 2.0 * 0.25 * lse(&x) / 2.0 / 3.0;
        softmax(&halves).into_iter().map(move |q| z * q)
    });
    let expected: Vec<f64> = without.gradient().iter().zip(slope).map(|(g, z)| g + z).collect();
    assert_close(&with.name, &with.gradient(), &expected, BOUND);
}

/// The same numbers as beside a label, and their means over rows, whatever the loss's own divisor.
#[test]
fn side_outputs_beside_a_distribution_are_those_beside_a_label() {
    let wanted = Side::new().lse().entropy().argmax();
    let of = |side: Side| {
        let kl = KlDivergence::from_logits(Form::Logits).reduction(Reduction::Mean).row_weights(RowWeights::Mask);
        let case = case(kl.side(side), 4, &LOGITS).values(&LOGITS).row_weights(&[1.0, 1.0, 1.0]);
        numbers(&case.evaluate(Pass::Forward).side.expect("side outputs were asked for").1)
    };
    assert_eq!(of(wanted), side(wanted, &LABELS));
    let means = Side::new().lse().entropy().mean();
    assert_close("means", &of(means), &side(means, &LABELS), BOUND);
}

fn side(side: Side, labels: &[i32]) -> Vec<f64> {
    let case = case(ce().ignore_index(-1).side(side), 4, &LOGITS).labels(labels);
    numbers(&case.evaluate(Pass::Forward).side.expect("side outputs were asked for").1)
}

#[test]
fn side_outputs_are_what_they_are_called() {
    let found = side(Side::new().lse().entropy().log_prob().prob().argmax().top_1().top_k(2), &LABELS);
    let expected = rows().flat_map(|(x, t)| {
        let p = softmax(&x);
        let above = x.iter().filter(|&&other| other > x[t]).count();
        let argmax = (0..4).max_by(|&a, &b| x[a].total_cmp(&x[b])).unwrap_or(0);
        let lse = x.iter().map(|x| x.exp()).sum::<f64>().ln();
        let entropy = p.iter().map(|p| -p * p.ln()).sum::<f64>();
        let hit = |k| f64::from(u8::from(above < k));
        [lse, entropy, p[t].ln(), p[t], argmax as f64, hit(1), hit(2)]
    });
    assert_close("side", &found, &expected.collect::<Vec<_>>(), BOUND);
}

#[test]
fn means_of_side_outputs_are_over_the_rows_kept() {
    let each = side(Side::new().entropy().top_1(), &LABELS);
    let mean = side(Side::new().entropy().top_1().mean(), &[2, -1, 3]);
    assert_close("mean", &mean, &[(each[0] + each[4]) / 2.0, (each[1] + each[5]) / 2.0], BOUND);
}
