//! The corner table on every kernel variant: `reference/corners.rs` shows that the oracle has it right.

use rstest::rstest;
use surprisal::{
    BinaryCrossEntropy, Broadcast, CrossEntropy, Entropy, Form, JensenShannon, KlDivergence, Loss,
    NegativeLogLikelihood, Reduction, ReverseKlDivergence, RowWeights, SigmoidFocal, SoftCrossEntropy, SoftmaxFocal,
    TotalVariation,
};

use crate::losses;
use crate::support::case::{Case, case};
use crate::support::device::variants;
use crate::support::losses::each_divergence;
use crate::support::spec::with_reduction;

const INF: f32 = f32::INFINITY;
const NEG_INF: f32 = f32::NEG_INFINITY;

/// Rows without a value, masks, and the usual mask that is a number.
const ROWS: [[f32; 3]; 12] = [
    [0.5, -1.0, 2.0],
    [f32::NAN, 0.0, 1.0],
    [0.0, f32::NAN, 1.0],
    [0.0, 1.0, INF],
    [NEG_INF; 3],
    [INF; 3],
    [f32::NAN; 3],
    [NEG_INF, 0.0, 0.0],
    [0.0, NEG_INF, 0.0],
    [NEG_INF, NEG_INF, 1.0],
    [f32::MIN; 3],
    [0.0, f32::MIN, NEG_INF],
];

/// As [`losses::check`], under a name without all the numbers.
#[track_caller]
fn check(case: Case) {
    let name = format!("{:?}, C = {}, logits from {:?}", case.loss, case.shape.n_classes, &case.logits[..1]);
    losses::check(variants(), &Case { name, ..case });
}

/// Every row of a list with every row of another.
fn pairs(xs: &[[f32; 3]], ys: &[[f32; 3]]) -> (Vec<f32>, Vec<f32>) {
    let pairs = xs.iter().flat_map(|x| ys.iter().map(move |y| (*x, *y)));
    let (xs, ys): (Vec<[f32; 3]>, Vec<[f32; 3]>) = pairs.unzip();
    (xs.concat(), ys.concat())
}

fn with_every_label(loss: &Loss) -> Case {
    let (logits, _) = pairs(&ROWS, &[[0.0; 3]; 3]);
    let labels: Vec<_> = (0..3).cycle().take(3 * ROWS.len()).collect();
    case(with_reduction(loss, Reduction::None), 3, &logits).labels(&labels)
}

#[rstest]
#[case(CrossEntropy::new())]
#[case(CrossEntropy::new().label_smoothing(0.25))]
#[case(CrossEntropy::new().class_weights([1.0, 0.0, -2.0]))]
#[case(CrossEntropy::new().class_weights([1.0, 0.0, 2.0]).label_smoothing(0.25))]
#[case(CrossEntropy::new().ignore_index(1))]
#[case(SoftmaxFocal::new(0.5))]
#[case(SoftmaxFocal::new(2.0).alpha([1.0, 0.0, 2.0]).ignore_index(0))]
#[case(NegativeLogLikelihood::new())]
#[case(NegativeLogLikelihood::new().class_weights([1.0, 0.0, -2.0]).ignore_index(0))]
fn losses_of_labels_follow_the_table(#[case] loss: impl Into<Loss>) {
    check(with_every_label(&loss.into()));
}

/// A mask: rows without a value that weigh nothing, with either sign.
#[rstest]
#[case(CrossEntropy::new().row_weights(RowWeights::Mask).label_smoothing(0.25))]
#[case(SoftmaxFocal::new(2.0).row_weights(RowWeights::Count))]
#[case(NegativeLogLikelihood::new().row_weights(RowWeights::Scale))]
fn masked_rows_are_zero_whatever_their_logits(#[case] loss: impl Into<Loss>) {
    let case = with_every_label(&loss.into());
    let n_rows = case.shape.n_rows;
    let nothing: Vec<_> = [0.0, -0.0].into_iter().cycle().take(n_rows).collect();
    check(case.row_weights(&nothing));
}

#[rstest]
#[case(SoftCrossEntropy::new())]
#[case(SoftCrossEntropy::new().class_weights([1.0, 0.0, 2.0]).label_smoothing(0.25))]
#[case(KlDivergence::from_logits(Form::Probs))]
#[case(KlDivergence::from_logits(Form::Probs).teacher_gradient())]
#[case(KlDivergence::from_logits(Form::Probs).per_element())]
#[case(ReverseKlDivergence::from_logits(Form::Probs))]
#[case(JensenShannon::from_logits(Form::Probs).beta(0.25))]
#[case(TotalVariation::from_logits(Form::Probs))]
fn losses_of_probabilities_follow_the_table(#[case] loss: impl Into<Loss>) {
    // The last two have subnormal numbers, and a zero with a sign.
    let targets = [
        [0.5, 0.0, 0.5],
        [0.25, 0.5, 0.25],
        [0.0, 1.0, 0.0],
        [0.0, 0.0, 1.0],
        [0.5, f32::NAN, 0.5],
        [1e-44, 0.75, 3e-40],
        [1e-44, -0.0, 0.75],
    ];
    let (logits, values) = pairs(&ROWS, &targets);
    check(case(with_reduction(&loss.into(), Reduction::None), 3, &logits).values(&values));
}

#[rstest]
fn divergences_follow_the_table(#[values(Form::LogProbs, Form::Logits)] target: Form) {
    let targets = [[-0.5, NEG_INF, -1.0], [-1.0, -1.25, -1.0], [NEG_INF, 0.0, NEG_INF], [-0.5, f32::NAN, -0.5]];
    let (logits, values) = pairs(&ROWS, &targets);
    let kl = KlDivergence::from_logits(target);
    let others = [kl.clone().per_element().into(), kl.teacher_gradient().into()];
    for loss in each_divergence(Form::Logits, target).iter().chain(&others) {
        check(case(with_reduction(loss, Reduction::None), 3, &logits).values(&values));
    }
}

#[rstest]
fn divergences_of_log_probabilities_follow_the_table(
    #[values(Form::Probs, Form::LogProbs, Form::Logits)] target: Form,
) {
    let students = [[-0.7, NEG_INF, -0.7], [-1.0, -1.0, -1.25], [f32::NAN, -1.0, -1.0], [0.0, INF, -1.0]];
    let targets = match target {
        Form::Probs => [[0.5, 0.0, 0.5], [0.25, 0.5, 0.25], [0.5, f32::NAN, 0.5]],
        _ => [[-0.5, NEG_INF, -1.0], [-1.0, -1.25, -1.0], [-0.5, f32::NAN, -0.5]],
    };
    let (logits, values) = pairs(&students, &targets);
    let kl = KlDivergence::from_log_probs(target);
    let others = [kl.clone().per_element().into(), kl.teacher_gradient().into()];
    for loss in each_divergence(Form::LogProbs, target).iter().chain(&others) {
        check(case(with_reduction(loss, Reduction::None), 3, &logits).values(&values));
    }
}

#[rstest]
fn softmax_and_entropy_follow_the_table(
    #[values(Loss::LogSoftmax, Loss::Softmax, Entropy::of_logits().reduction(Reduction::None).into())] loss: Loss,
) {
    let case = case(&loss, 3, &ROWS.concat());
    let is_softmax = matches!(loss, Loss::LogSoftmax | Loss::Softmax);
    check(if is_softmax { case.dloss(&[1.0, -0.5, 2.0].repeat(ROWS.len())) } else { case });
}

#[rstest]
#[case(BinaryCrossEntropy::new())]
#[case(BinaryCrossEntropy::new().pos_weight(2.5))]
#[case(SigmoidFocal::new(0.0))]
#[case(SigmoidFocal::new(0.5).alpha(0.25))]
#[case(SigmoidFocal::new(2.0))]
fn elementwise_losses_follow_the_formulas_at_infinity(#[case] loss: impl Into<Loss>) {
    let loss = with_reduction(&loss.into(), Reduction::None);
    // The host takes no soft label of a focal loss that is no probability; devices have theirs in `record`.
    let last = if matches!(loss, Loss::SigmoidFocal(_)) { 0.75 } else { f32::NAN };
    let xs = [INF, NEG_INF, f32::NAN, 0.0, 100.0, -100.0];
    let ys = [0.0, 1.0, 0.25, last];
    let pairs = xs.iter().flat_map(|&x| ys.map(|y| (x, y)));
    let (logits, values): (Vec<_>, Vec<_>) = pairs.unzip();
    check(case(&loss, 4, &logits).values(&values));
    check(case(&loss, 4, &logits).values(&values).weights(&[0.0, 1.0, -1.0, 2.0], Broadcast::PerClass));
    check(case(&loss, 4, &logits).values(&values).weights(&[f32::NAN, INF, NEG_INF, 2.0], Broadcast::PerClass));
    let masked = case(&loss, 4, &logits).values(&values).weights(&[0.0, 1.0, 0.0, 2.0], Broadcast::PerClass);
    check(masked.dloss(&[INF, 0.0, NEG_INF, 0.0].repeat(xs.len())));
}

/// The ends of the range, numbers below the smallest normal one, those on either side of e^-100, neighbours of 1.
#[test]
fn binary_cross_entropy_of_probabilities_follows_the_clamps() {
    let below_one = f32::from_bits(1.0_f32.to_bits() - 1);
    let ps = [0.0, -0.0, 1e-45, 3e-44, 5e-44, 1e-40, 1.2e-38, 1e-12, 0.2, 0.25, 0.5, 0.999, below_one, 1.0];
    let ys = [0.0, 1.0, 0.25, f32::NAN];
    let pairs = ps.iter().flat_map(|&p| ys.map(|y| (p, y)));
    let (probs, values): (Vec<_>, Vec<_>) = pairs.unzip();
    let loss = with_reduction(&BinaryCrossEntropy::of_probs().into(), Reduction::None);
    check(case(&loss, 4, &probs).values(&values));
    check(case(&loss, 4, &probs).values(&values).weights(&[0.0, 1.0, -1.0, 2.0], Broadcast::PerClass));
}

#[test]
fn entropy_of_given_probabilities_follows_the_table() {
    let probs = [0.5, 0.0, 0.5, 1.0, 0.0, 0.0, 0.5, f32::NAN, 0.5, 1e-45, 3e-40, -0.0, INF, 0.0, 0.5];
    check(case(Entropy::of_probs().reduction(Reduction::None), 3, &probs));
}

/// `x - m` overflows: such classes have probability 0. (Smoothing would spread a loss of 1e38 over them.)
#[rstest]
#[case(CrossEntropy::new().into())]
#[case(SoftmaxFocal::new(2.0).into())]
#[case(SoftCrossEntropy::new().into())]
#[case(KlDivergence::from_logits(Form::Probs).into())]
#[case(ReverseKlDivergence::from_logits(Form::Probs).into())]
#[case(JensenShannon::from_logits(Form::Probs).into())]
#[case(TotalVariation::from_logits(Form::Probs).into())]
#[case(Entropy::of_logits().into())]
#[case(Loss::LogSoftmax)]
#[case(Loss::Softmax)]
fn logits_at_both_ends_of_f32_have_the_values_of_the_oracle(#[case] loss: Loss) {
    let logits = [3.0e38, -3.0e38, 0.0, -3.0e38, 0.0, 3.0e38, f32::MAX, f32::MIN, f32::MAX];
    let case = match loss {
        Loss::LogSoftmax | Loss::Softmax => case(&loss, 3, &logits).dloss(&[1.0, -0.5, 2.0].repeat(3)),
        _ => case(with_reduction(&loss, Reduction::None), 3, &logits),
    };
    check(match loss {
        Loss::CrossEntropy(_) | Loss::SoftmaxFocal(_) => case.labels(&[0, 2, 0]),
        Loss::Entropy(_) | Loss::LogSoftmax | Loss::Softmax => case,
        _ => case.values(&[1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.5, 0.0, 0.5]),
    });
}

/// What `cover` puts at the edge of its cases and `every_loss` asks of all losses, at more sizes.
mod full {
    use super::*;

    /// Every lane but the last sees masks only.
    #[rstest]
    fn rows_whose_first_tiles_are_masked_have_a_value(#[values(33, 300, 1025)] n_classes: usize) {
        let mut logits = vec![NEG_INF; n_classes];
        logits[n_classes - 1] = 0.5;
        logits[n_classes - 2] = 1.0;
        let label = n_classes as i32 - 1;
        check(case(CrossEntropy::new(), n_classes, &logits).labels(&[label]));
        check(case(SoftmaxFocal::new(2.0), n_classes, &logits).labels(&[label]));
        check(case(Entropy::of_logits(), n_classes, &logits));
        check(case(Loss::LogSoftmax, n_classes, &logits).dloss(&vec![0.5; n_classes]));
        let mut teacher = vec![0.0; n_classes];
        teacher[n_classes - 1] = 1.0;
        check(case(KlDivergence::from_logits(Form::Probs), n_classes, &logits).values(&teacher));
        for loss in each_divergence(Form::Logits, Form::Logits) {
            check(case(loss, n_classes, &logits).values(&logits.iter().map(|x| 2.0 * x).collect::<Vec<_>>()));
        }
    }

    /// A class that one of the two masks by -inf and the other by `finfo.min` is without mass in both.
    #[rstest]
    fn masks_of_both_kinds_may_meet(
        #[values((NEG_INF, f32::MIN), (f32::MIN, NEG_INF), (f32::MIN, f32::MIN), (NEG_INF, NEG_INF))] masks: (f32, f32),
        #[values(6, 37, 1028)] n_classes: usize,
        #[values(0, 2)] unmasked: usize,
    ) {
        let masked = |mask: f32, step: f32| -> Vec<f32> {
            let third = n_classes / 3;
            (0..n_classes).map(|c| if c / third == unmasked { step * (1 + c % 5) as f32 } else { mask }).collect()
        };
        for loss in each_divergence(Form::Logits, Form::Logits) {
            check(case(loss, n_classes, &masked(masks.0, 0.5)).values(&masked(masks.1, -0.25)));
        }
    }

    /// `finfo.min` is the usual mask: as good as -inf wherever the class has no mass, for teacher and student alike.
    #[rstest]
    #[case::entropy(Entropy::of_logits().into(), Form::Probs)]
    #[case::cross_entropy(CrossEntropy::new().into(), Form::Probs)]
    #[case::focal(SoftmaxFocal::new(2.0).into(), Form::Probs)]
    #[case::log_softmax(Loss::LogSoftmax, Form::Probs)]
    #[case::softmax(Loss::Softmax, Form::Probs)]
    #[case::soft_cross_entropy(SoftCrossEntropy::new().into(), Form::Probs)]
    #[case::kl_of_probs(KlDivergence::from_logits(Form::Probs).into(), Form::Probs)]
    #[case::kl_of_logits(KlDivergence::from_logits(Form::Logits).into(), Form::Logits)]
    #[case::kl_of_sharpened_logits(KlDivergence::from_logits(Form::Logits).temperature(0.5).into(), Form::Logits)]
    #[case::reverse_kl(ReverseKlDivergence::from_logits(Form::Logits).into(), Form::Logits)]
    #[case::reverse_kl_sharpened(ReverseKlDivergence::from_logits(Form::Logits).temperature(0.5).into(), Form::Logits)]
    #[case::jensen_shannon(JensenShannon::from_logits(Form::Logits).temperature(0.5).into(), Form::Logits)]
    #[case::total_variation(TotalVariation::from_logits(Form::Logits).temperature(0.5).into(), Form::Logits)]
    fn classes_masked_by_the_lowest_number_do_no_harm(
        #[case] loss: Loss,
        #[case] targets: Form,
        #[values(6, 37, 1028)] n_classes: usize,
        #[values(0, 1, 2)] unmasked: usize,
    ) {
        // The first third, the second or the last one is not masked.
        let third = n_classes / 3;
        let open = |c: usize| c / third == unmasked;
        let mask = |step: f32, masked: f32| -> Vec<f32> {
            (0..n_classes).map(|c| if open(c) { step * (1 + c % 5) as f32 } else { masked }).collect()
        };
        let logits = mask(0.5, f32::MIN);
        let case = case(&loss, n_classes, &logits);
        let teacher = match targets {
            Form::Logits => mask(-0.25, f32::MIN),
            _ => mask(1.0 / n_classes as f32, 0.0),
        };
        check(match loss {
            Loss::CrossEntropy(_) | Loss::SoftmaxFocal(_) => case.labels(&[(unmasked * third) as i32]),
            Loss::Entropy(_) => case,
            Loss::LogSoftmax | Loss::Softmax => case.dloss(&(0..n_classes).map(|c| (c % 3) as f32).collect::<Vec<_>>()),
            _ => case.values(&teacher),
        });
    }

    #[rstest]
    fn one_class_costs_nothing(#[values(-7.5, 0.0, f32::MIN, f32::MAX)] x: f32) {
        for gamma in [0.5, 1.0, 2.0, 3.7] {
            check(case(SoftmaxFocal::new(gamma), 1, &[x]).labels(&[0]));
        }
        for eps in [0.0, 0.5] {
            check(case(CrossEntropy::new().label_smoothing(eps), 1, &[x]).labels(&[0]));
        }
        for loss in each_divergence(Form::Logits, Form::Probs) {
            check(case(loss, 1, &[x]).values(&[1.0]));
        }
        check(case(Entropy::of_logits(), 1, &[x]));
    }
}
