//! Values and gradients derived by hand, and formulas written out naively where they do no harm.

use std::f64::consts::LN_2;

use rstest::rstest;
use surprisal::{
    BinaryCrossEntropy, Broadcast, CrossEntropy, Entropy, Form, JensenShannon, KlDivergence, Loss, Reduction,
    ReverseKlDivergence, SigmoidFocal, SoftCrossEntropy, SoftmaxFocal, TotalVariation,
};

use crate::support::case::{Case, case};
use crate::support::cases::cases;
use crate::support::compare::{assert_close, assert_relative};
use crate::support::losses::{each_divergence, softmax_focals};
use crate::support::random::Random;
use crate::support::spec::with_reduction;

/// A few roundings of f64.
const ULPS: f64 = 4.0 * f64::EPSILON;

#[rstest]
fn equal_logits_cost_log_of_the_number_of_classes(#[values(1, 2, 3, 32, 1000)] n_classes: usize) {
    let (log_c, c) = ((n_classes as f64).ln(), n_classes as f64);
    for x in [0.0, -7.5, 3e38, f32::MIN] {
        let logits = vec![x; n_classes];
        let ce = case(CrossEntropy::new(), n_classes, &logits).labels(&[0]);
        assert_close(&format!("loss at {x}, C = {c}"), &ce.losses(), &[log_c], ULPS * log_c);
        let gradient: Vec<f64> = (0..n_classes).map(|j| if j == 0 { 1.0 / c - 1.0 } else { 1.0 / c }).collect();
        assert_close(&format!("gradient at {x}, C = {c}"), &ce.gradient(), &gradient, ULPS);
        let entropy = case(Entropy::of_logits(), n_classes, &logits);
        assert_close(&format!("entropy at {x}, C = {c}"), &entropy.losses(), &[log_c], c * ULPS * log_c);
        assert_close(
            &format!("entropy gradient at {x}, C = {c}"),
            &entropy.gradient(),
            &vec![0.0; n_classes],
            2.0 * ULPS,
        );
    }
}

#[rstest]
fn the_uniform_distribution_has_entropy_log_c(#[values(1, 2, 8, 64)] n_classes: usize) {
    let (log_c, bound) = ((n_classes as f64).ln(), n_classes as f64 * ULPS);
    let entropy = case(Entropy::of_probs(), n_classes, &vec![1.0 / n_classes as f32; n_classes]);
    assert_close(&format!("C = {n_classes}"), &entropy.losses(), &[log_c], bound);
    assert_close(&format!("gradient, C = {n_classes}"), &entropy.gradient(), &vec![log_c - 1.0; n_classes], bound);
}

/// With target logit 0 and another at -L: `D = e^-L`, loss `log1p(D)`, target gradient `-D/(1+D)`.
/// At L = 23.0259 the target has p = 1 - 1e-10; at 69.0776, 1 - 1e-30.
#[rstest]
fn confident_rows_keep_their_relative_accuracy(#[values(1.0, 16.625, 23.025_85, 69.077_55, 500.0)] distance: f32) {
    let d = (-f64::from(distance)).exp();
    let name = |what: &str| format!("{what}, D = {d:e}");
    let ce = case(CrossEntropy::new(), 2, &[0.0, -distance]).labels(&[0]);
    assert_relative(&name("loss"), &ce.losses(), &[d.ln_1p()], ULPS);
    assert_relative(&name("gradient"), &ce.gradient(), &[-d / (1.0 + d), d / (1.0 + d)], ULPS);
    let focal = case(SoftmaxFocal::new(2.0), 2, &[0.0, -distance]).labels(&[0]);
    let (q, p) = (d / (1.0 + d), 1.0 / (1.0 + d));
    assert_relative(&name("focal"), &focal.losses(), &[q * q * d.ln_1p()], 2.0 * ULPS);
    let slope = q * q * (1.0 + 2.0 * p * d.ln_1p() / q);
    assert_relative(&name("focal gradient"), &focal.gradient(), &[-slope * q, slope * q], 2.0 * ULPS);
}

/// logits 1, 2, 3, target 2: `loss = log(1 + e^-1 + e^-2)`, probabilities as every textbook prints them.
#[test]
fn three_logits_have_their_textbook_softmax() {
    let probs = [0.090_030_573_170_380_46, 0.244_728_471_054_797_64, 0.665_240_955_774_821_9];
    assert_close("softmax", &case(Loss::Softmax, 3, &[1.0, 2.0, 3.0]).losses(), &probs, ULPS);
    let log_probs = [-2.407_605_964_444_38, -1.407_605_964_444_380_1, -0.407_605_964_444_380_1];
    assert_close("log-softmax", &case(Loss::LogSoftmax, 3, &[1.0, 2.0, 3.0]).losses(), &log_probs, ULPS);
    let ce = case(CrossEntropy::new(), 3, &[1.0, 2.0, 3.0]).labels(&[2]);
    assert_close("cross-entropy", &ce.losses(), &[0.407_605_964_444_380_1], ULPS);
    assert_close("gradient", &ce.gradient(), &[probs[0], probs[1], probs[2] - 1.0], ULPS);
}

/// Equal logits, three classes, target 0, weights 1, 2, 4, eps 1/4: `3/4 log 3 + 1/12 7 log 3`, over w_t = 1.
/// Gradient `3/4 (1/3 - [i=0]) + 1/12 (7/3 - w_i)`.
#[test]
fn smoothing_spreads_over_weighted_classes() {
    let loss = CrossEntropy::new().class_weights([1.0, 2.0, 4.0]).label_smoothing(0.25);
    let smooth = case(loss, 3, &[5.0; 3]).labels(&[0]);
    assert_close("loss", &smooth.losses(), &[(0.75 + 7.0 / 12.0) * 3_f64.ln()], ULPS);
    let spread = |w: f64| (7.0 / 3.0 - w) / 12.0;
    assert_close("gradient", &smooth.gradient(), &[spread(1.0) - 0.5, spread(2.0) + 0.25, spread(4.0) + 0.25], ULPS);
}

/// Two kept rows of loss log 2, weights 3 and 1, one ignored row: the mean divides by w_0 + w_1.
#[test]
fn weighted_mean_divides_by_the_weights_of_kept_rows() {
    let loss = CrossEntropy::new().class_weights([3.0, 1.0]).ignore_index(-1);
    let mean = case(loss, 2, &[0.0; 6]).labels(&[0, -1, 1]);
    assert_close("mean", &mean.losses(), &[LN_2], ULPS);
    assert_close("gradient", &mean.gradient(), &[-0.375, 0.375, 0.0, 0.0, 0.125, -0.125], ULPS);
}

/// Focal loss, p_t = 1/2, gamma 2, alpha 1/4: `1/4 1/4 log 2`, over two kept rows of three.
#[test]
fn focal_mean_divides_by_kept_rows_and_never_by_alpha() {
    let loss = SoftmaxFocal::new(2.0).alpha(0.25).ignore_index(-1);
    let mean = case(loss, 2, &[0.0; 6]).labels(&[0, -1, 1]);
    assert_close("mean", &mean.losses(), &[LN_2 / 16.0], ULPS);
}

#[rstest]
#[case(-20.0, 0.0, 2.061_153_620_314_381e-9)]
#[case(20.0, 1.0, 2.061_153_620_314_381e-9)]
#[case(-20.0, 1.0, 20.000_000_002_061_153)]
#[case(0.0, 0.0, LN_2)]
#[case(0.0, 0.5, LN_2)]
#[case(2.0, 0.25, 1.626_928_011_042_972_5)] // 3/4 2 + log1p(e^-2)
#[case(-100.0, 0.0, 3.720_075_976_020_836e-44)]
fn binary_cross_entropy_has_known_values(#[case] x: f32, #[case] y: f32, #[case] expected: f64) {
    let bce = case(BinaryCrossEntropy::new(), 1, &[x]).values(&[y]);
    assert_relative(&format!("x = {x}, y = {y}"), &bce.losses(), &[expected], ULPS);
}

/// `KL((1/2, 1/4, 1/4) || (1/4, 1/2, 1/4)) = log 2 / 4`; the logits of Q are its logarithms.
#[test]
fn kl_divergence_of_known_distributions() {
    let (p, log_q) = ([0.5, 0.25, 0.25], [0.25_f32.ln(), 0.5_f32.ln(), 0.25_f32.ln()]);
    for loss in [KlDivergence::from_logits(Form::Probs), KlDivergence::from_log_probs(Form::Probs)] {
        let kl = case(loss, 3, &log_q).values(&p);
        assert_close(&kl.name, &kl.losses(), &[LN_2 / 4.0], f64::from(f32::EPSILON)); // logarithms rounded to f32
    }
    let gradient = case(KlDivergence::from_logits(Form::Probs), 3, &log_q).values(&p).gradient();
    assert_close("gradient q - p", &gradient, &[-0.25, 0.25, 0.0], f64::from(f32::EPSILON));
}

/// Q = (1/4, 3/4), P = (1/2, 1/2): h = (log 2, log 2/3), `KL = (log 2 + log 2/3)/2`.
#[test]
fn kl_divergence_has_known_teacher_gradients() {
    let log_q = [0.25_f32.ln(), 0.75_f32.ln()];
    let h = [LN_2, (2.0_f64 / 3.0).ln()];
    let kl = (h[0] + h[1]) / 2.0;
    let of = |target, teacher: &[f32; 2]| {
        case(KlDivergence::from_logits(target).teacher_gradient(), 2, &log_q).values(teacher).teacher_gradient()
    };
    let bound = f64::from(f32::EPSILON); // logarithms rounded to f32
    assert_close("probabilities", &of(Form::Probs, &[0.5; 2]), &h.map(|h| h + 1.0), bound);
    assert_close("log-probabilities", &of(Form::LogProbs, &[0.5_f32.ln(); 2]), &h.map(|h| (h + 1.0) / 2.0), bound);
    assert_close("logits", &of(Form::Logits, &[3.0; 2]), &h.map(|h| (h - kl) / 2.0), bound);
}

/// Q = (1/2, 1/2), P = (1/4, 3/4): `log q/p` is (log 2, log 2/3), their mean `log(4/3)/2`.
#[test]
fn reverse_kl_divergence_of_known_distributions() {
    let r = (4.0_f64 / 3.0).ln() / 2.0;
    let slopes = [LN_2 / 2.0, (2.0_f64 / 3.0).ln() / 2.0];
    let kl = case(ReverseKlDivergence::from_logits(Form::Probs), 2, &[0.0; 2]).values(&[0.25, 0.75]);
    assert_close("R", &kl.losses(), &[r], ULPS);
    assert_close("gradient", &kl.gradient(), &slopes.map(|slope| slope - r / 2.0), ULPS);
    let half = 0.5_f32.ln();
    let kl = case(ReverseKlDivergence::from_log_probs(Form::Probs), 2, &[half; 2]).values(&[0.25, 0.75]);
    assert_close("R of log-probabilities", &kl.losses(), &[r], f64::from(f32::EPSILON));
    assert_close("gradient", &kl.gradient(), &slopes.map(|slope| slope + 0.5), f64::from(f32::EPSILON));
}

/// P = (1, 0), Q = (1/2, 1/2), M = (3/4, 1/4): `1/2 log 4/3 + 1/4 log 2/3 + 1/4 log 2`; g = (1/4 log 2/3, 1/4 log 2).
#[test]
fn jensen_shannon_of_known_distributions() {
    let js = case(JensenShannon::from_logits(Form::Probs), 2, &[0.0; 2]).values(&[1.0, 0.0]);
    let ratio = (4.0_f64 / 3.0).ln();
    assert_close("JSD", &js.losses(), &[0.75 * ratio], ULPS);
    let g = [(2.0_f64 / 3.0).ln() / 4.0, LN_2 / 4.0];
    assert_close("gradient", &js.gradient(), &g.map(|g| g - ratio / 8.0), ULPS);
}

/// Q = (1/4, 1/4, 1/4, 1/4), P = (1/2, 3/8, 1/8, 0): g = (-1/8, -1/8, 1/8, 1/8).
#[test]
fn total_variation_of_known_distributions() {
    let p = [0.5, 0.375, 0.125, 0.0];
    let tv = case(TotalVariation::from_logits(Form::Probs), 4, &[0.0; 4]).values(&p);
    assert_close("distance", &tv.losses(), &[0.375], ULPS);
    assert_close("gradient", &tv.gradient(), &[-0.125, -0.125, 0.125, 0.125], ULPS);
    let p = [1.0, 0.0, 0.0, 0.0];
    let tv = case(TotalVariation::from_logits(Form::Probs), 4, &[0.0; 4]).values(&p);
    assert_close("distance", &tv.losses(), &[0.75], ULPS);
    assert_close("gradient", &tv.gradient(), &[-0.1875, 0.0625, 0.0625, 0.0625], ULPS);
}

/// At temperature T the student (0, T log 3) is (1/4, 3/4); the teacher (1/2, 1/2) is equal logits.
#[rstest]
fn temperature_divides_logits_and_its_square_multiplies(#[values(0.5, 1.0, 4.0)] t: f32) {
    let student = [0.0, t * 3_f32.ln()];
    let kl = KlDivergence::from_logits(Form::Logits).temperature(t);
    let expected = 0.5 * (4.0 / 3.0_f64).ln();
    let (plain, scaled) = (case(kl.clone(), 2, &student), case(kl.scaled_by_t_squared(), 2, &student));
    let (plain, scaled, t) = (plain.values(&[0.0; 2]), scaled.values(&[0.0; 2]), f64::from(t));
    assert_close(&format!("T = {t}"), &plain.losses(), &[expected], 1e-7);
    assert_close(&format!("gradient, T = {t}"), &plain.gradient(), &[-0.25 / t, 0.25 / t], 1e-7 / t);
    assert_relative(&format!("T^2, T = {t}"), &scaled.losses(), &[plain.losses()[0] * t * t], ULPS);
    let gradient: Vec<f64> = plain.gradient().iter().map(|g| g * t * t).collect();
    assert_relative(&format!("T^2 gradient, T = {t}"), &scaled.gradient(), &gradient, ULPS);
}

#[test]
fn no_divergence_is_there_between_a_distribution_and_itself() {
    let logits = Random::new(5).grid(64, -8, 8);
    for loss in each_divergence(Form::Logits, Form::Logits) {
        let own = case(loss, 8, &logits).values(&logits);
        assert_close(&own.name, &own.losses(), &[0.0], 0.0);
        assert_close(&own.name, &own.gradient(), &[0.0; 64], 0.0);
    }
}

#[rstest]
fn a_distribution_has_no_divergence_from_itself(#[values(1.0, 0.3, 20.0)] temperature: f32) {
    let logits = Random::new(5).grid(64, -8, 8);
    let kl = KlDivergence::from_logits(Form::Logits).temperature(temperature);
    let own = case(kl, 8, &logits).values(&logits);
    assert_close("logits", &own.losses(), &[0.0], ULPS);
    assert_close("gradient", &own.gradient(), &[0.0; 64], ULPS);
    let own = case(KlDivergence::from_log_probs(Form::LogProbs), 8, &logits).values(&logits);
    assert_close("log-probabilities", &own.losses(), &[0.0], 0.0);
}

#[test]
fn focal_with_gamma_zero_is_cross_entropy() {
    for focal in cases(&softmax_focals()) {
        let Loss::SoftmaxFocal(spec) = &focal.loss else { continue };
        if spec.gamma == 0.0 && spec.alpha.is_none() {
            let mut ce = CrossEntropy::new().reduction(spec.reduction);
            ce.ignore_index = spec.ignore_index.clone();
            let ce = Case { loss: ce.into(), ..focal.clone() };
            assert_close(&focal.name, &focal.losses(), &ce.losses(), 0.0);
            assert_close(&focal.name, &focal.gradient(), &ce.gradient(), 0.0);
        }
    }
}

/// torchvision/ops/focal_loss.py, naively: `p_t = p y + (1-p)(1-y)`, `a (1-p_t)^gamma ce`.
fn torchvision_focal(x: f64, y: f64, alpha: f64, gamma: f64) -> f64 {
    let p = 1.0 / (1.0 + (-x).exp());
    let ce = -(y * p.ln() + (1.0 - y) * (1.0 - p).ln());
    (alpha * y + (1.0 - alpha) * (1.0 - y)) * (1.0 - p * y - (1.0 - p) * (1.0 - y)).powf(gamma) * ce
}

#[rstest]
fn sigmoid_focal_is_torchvisions(
    #[values(0.0, 0.5, 1.0, 2.0, 3.7)] gamma: f32,
    #[values(0.0, 0.25, 0.5, 1.0)] alpha: f32,
    #[values(0.0, 0.375, 0.75, 1.0)] y: f32,
) {
    for x in [-4.0, -1.5, -0.25, 0.0, 0.5, 3.0] {
        let loss = SigmoidFocal::new(gamma).alpha(alpha);
        let expected = torchvision_focal(x.into(), y.into(), alpha.into(), gamma.into());
        let found = case(loss, 1, &[x]).values(&[y]).losses();
        assert_close(&format!("x {x}, y {y}, alpha {alpha}, gamma {gamma}"), &found, &[expected], 1e-14);
    }
}

/// `1 - alpha` is what binds here: 0.1 is rounded to f32 once, as the caller's option, and never again.
#[test]
fn sigmoid_focal_weighs_negatives_by_one_minus_alpha() {
    let expected = (1.0 - f64::from(0.1_f32)) * 0.25 * LN_2;
    let found = case(SigmoidFocal::new(2.0).alpha(0.1), 1, &[0.0]).values(&[0.0]).losses();
    assert_relative("alpha 0.1, x 0, y 0", &found, &[expected], ULPS);
}

/// T = 0.1 is rounded to f32 once, as the caller's option; its square is not rounded again.
#[test]
fn distillation_multiplies_by_the_exact_square() {
    let plain = KlDivergence::from_logits(Form::Probs).temperature(0.1);
    let losses =
        [plain.clone(), plain.scaled_by_t_squared()].map(|kl| case(kl, 2, &[0.0, 0.5]).values(&[0.5; 2]).losses());
    let t = f64::from(0.1_f32);
    assert_relative("T 0.1", &losses[1], &[losses[0][0] * t * t], ULPS);
}

#[test]
fn one_hot_soft_cross_entropy_is_class_index_cross_entropy() {
    let (logits, weights) = (Random::new(7).grid(12, -4, 4), [0.5, 2.0, 0.0, 1.25]);
    let (labels, mut one_hot) = ([3, 0, 1], [0.0; 12]);
    labels.iter().enumerate().for_each(|(n, &t)| one_hot[4 * n + t as usize] = 1.0);
    for eps in [0.0, 0.25, 1.0] {
        let hard = CrossEntropy::new().class_weights(weights).label_smoothing(eps);
        let soft = SoftCrossEntropy::new().class_weights(weights).label_smoothing(eps);
        let pairs = [Reduction::None, Reduction::Sum].map(|reduction| {
            let hard = case(with_reduction(&hard.clone().into(), reduction), 4, &logits).labels(&labels);
            (hard, case(with_reduction(&soft.clone().into(), reduction), 4, &logits).values(&one_hot))
        });
        for (hard, soft) in pairs {
            assert_close(&soft.name, &soft.losses(), &hard.losses(), 1e-14);
            assert_close(&soft.name, &soft.gradient(), &hard.gradient(), 1e-14);
        }
    }
}

/// `KL(P||Q) = CE(P, Q) - H(P)`.
#[test]
fn kl_divergence_is_cross_entropy_less_entropy() {
    let (logits, p) = (Random::new(8).grid(20, -4, 4), Random::new(9).distributions(4, 5));
    let none = Reduction::None;
    let kl = case(KlDivergence::from_logits(Form::Probs).reduction(none), 5, &logits).values(&p);
    let ce = case(SoftCrossEntropy::new().reduction(none), 5, &logits).values(&p);
    let entropy = case(Entropy::of_probs().reduction(none), 5, &p).losses();
    let difference: Vec<f64> = ce.losses().iter().zip(entropy).map(|(ce, h)| ce - h).collect();
    assert_close("KL", &kl.losses(), &difference, 1e-14);
    assert_close("gradient", &kl.gradient(), &ce.gradient(), 1e-15);
}

/// Two rows of three; what each element's loss and gradient is multiplied by.
#[rstest]
#[case(&[2.0, 3.0], Broadcast::PerRow, [2.0, 2.0, 2.0, 3.0, 3.0, 3.0])]
#[case(&[2.0, 3.0, 5.0], Broadcast::PerClass, [2.0, 3.0, 5.0, 2.0, 3.0, 5.0])]
#[case(&[2.0, 3.0, 5.0, 7.0, -1.0, 0.0], Broadcast::PerElement, [2.0, 3.0, 5.0, 7.0, -1.0, 0.0])]
fn weights_multiply_their_elements(
    #[case] weights: &[f32],
    #[case] broadcast: Broadcast,
    #[case] factors: [f64; 6],
    #[values(BinaryCrossEntropy::new().into(), SigmoidFocal::new(2.0).into())] loss: Loss,
) {
    let loss = with_reduction(&loss, Reduction::None);
    let plain = case(loss, 3, &[0.25, 0.5, 0.125, 0.75, 1.0, 0.375]).values(&[0.5, 0.25, 0.25, 0.0, 1.0, 0.0]);
    let weighted = plain.clone().weights(weights, broadcast);
    let times = |numbers: Vec<f64>| numbers.iter().zip(factors).map(|(x, factor)| x * factor).collect::<Vec<_>>();
    assert_relative(&weighted.name, &weighted.losses(), &times(plain.losses()), ULPS);
    assert_relative(&weighted.name, &weighted.gradient(), &times(plain.gradient()), ULPS);
}

/// `sum_i l_i / divisor` for each way to come by a divisor.
#[rstest]
#[case(Reduction::Sum, 1.0)]
#[case(Reduction::Mean, 5.0)]
#[case(Reduction::BatchMean, 5.0)]
#[case(Reduction::SumDividedBy(3.5), 3.5)]
#[case(Reduction::SumDividedByInput, 2.75)]
fn reductions_sum_and_divide(#[case] reduction: Reduction, #[case] divisor: f64) {
    let p = Random::new(9).distributions(5, 5);
    let logits = Random::new(8).grid(25, -4, 4);
    let loss = |reduction| match reduction {
        Reduction::BatchMean => KlDivergence::from_logits(Form::Probs).reduction(reduction).into(),
        _ => Loss::from(SoftCrossEntropy::new().reduction(reduction)),
    };
    let mut reduced = case(loss(reduction), 5, &logits).values(&p);
    reduced.divisor = (reduction == Reduction::SumDividedByInput).then_some(2.75);
    let rows = case(with_reduction(&loss(reduction), Reduction::None), 5, &logits).values(&p);
    assert_close(&reduced.name, &reduced.losses(), &[rows.losses().iter().sum::<f64>() / divisor], 1e-14);
    let gradient: Vec<f64> = rows.gradient().iter().map(|g| g / divisor).collect();
    assert_close(&reduced.name, &reduced.gradient(), &gradient, 1e-15);
}

/// 2 rows of 3: cross-entropies divide by 2, binary and KL losses by 6.
#[rstest]
#[case(SoftCrossEntropy::new(), 2.0)]
#[case(Entropy::of_logits(), 2.0)]
#[case(Entropy::of_probs(), 2.0)]
#[case(KlDivergence::from_logits(Form::Probs).reduction(Reduction::Mean), 6.0)]
#[case(KlDivergence::from_logits(Form::Probs), 2.0)]
#[case(ReverseKlDivergence::from_log_probs(Form::Logits).reduction(Reduction::Mean), 6.0)]
#[case(JensenShannon::from_logits(Form::Probs).reduction(Reduction::Mean), 6.0)]
#[case(JensenShannon::from_logits(Form::Probs), 2.0)]
#[case(TotalVariation::from_logits(Form::Probs).reduction(Reduction::Mean), 6.0)]
#[case(BinaryCrossEntropy::new(), 6.0)]
#[case(SigmoidFocal::new(2.0), 6.0)]
fn mean_divides_by_what_the_field_uses(#[case] loss: impl Into<Loss>, #[case] divisor: f64) {
    let loss = loss.into();
    let sum = with_reduction(&loss, Reduction::Sum);
    let [mean, sum] = [loss, sum].map(|loss| {
        let case = case(&loss, 3, &[0.25, 0.5, 0.125, 0.75, 1.0, 0.375]);
        if let Loss::Entropy(_) = loss { case } else { case.values(&[0.5, 0.25, 0.25, 0.0, 1.0, 0.0]) }
    });
    assert_close(&mean.name, &mean.losses(), &[sum.losses()[0] / divisor], 1e-15);
}
