//! What `Problem::new` refuses: shapes, options, reductions.

use rstest::rstest;
use surprisal::{
    BinaryCrossEntropy, CrossEntropy, Distillation, Entropy, Error, Form, JensenShannon, KlDivergence, Loss,
    NegativeLogLikelihood, Pass, Problem, Reduction, Rest, ReverseKlDivergence, RowWeights, Shape, Side, SigmoidFocal,
    Smoothing, SoftCrossEntropy, SoftmaxFocal, TotalVariation,
};

const INF: f32 = f32::INFINITY;
const NAN: f32 = f32::NAN;

/// Two rows of three classes.
const SHAPE: Shape = Shape::new(2, 3);
/// Two slabs of four rows.
const SLABS: Shape = Shape::planes(2, 3, 4);

fn kl() -> KlDivergence {
    KlDivergence::from_logits(Form::Probs)
}

fn js() -> JensenShannon {
    JensenShannon::from_logits(Form::Probs)
}

#[track_caller]
fn refused(loss: impl Into<Loss>, shape: Shape) -> Error {
    let loss = loss.into();
    let problem = Problem::new(&loss, Pass::ForwardBackward, shape);
    problem.expect_err(&format!("{loss:?} with {shape:?} should be refused"))
}

#[track_caller]
fn assert_accepted(loss: impl Into<Loss>, shape: Shape) {
    let loss = loss.into();
    for pass in [Pass::Forward, Pass::ForwardBackward, Pass::Backward] {
        if let Err(error) = Problem::new(&loss, pass, shape) {
            panic!("{loss:?} with {shape:?} in {pass:?} should pass, found: {error}");
        }
    }
}

#[rstest]
#[case(SHAPE.logits_stride(2), "logits")]
#[case(SHAPE.targets_stride(2), "targets")]
#[case(SHAPE.dlogits_stride(2), "dlogits")]
#[case(SHAPE.dtargets_stride(2), "dtargets")]
fn rows_that_overlap_are_refused(#[case] shape: Shape, #[case] tensor: &'static str) {
    let error = refused(CrossEntropy::new(), shape);
    assert_eq!(error, Error::RowStride { tensor, stride: 2, n_classes: 3 });
    assert_eq!(error.to_string(), format!("expected {tensor} rows at least 3 elements apart, found a stride of 2"));
}

#[rstest]
#[case(SLABS.logits_stride(11), "logits")]
#[case(SLABS.targets_stride(11), "targets")]
#[case(SLABS.dlogits_stride(11), "dlogits")]
#[case(SLABS.dtargets_stride(11), "dtargets")]
fn slabs_that_overlap_are_refused(#[case] shape: Shape, #[case] tensor: &'static str) {
    let error = refused(CrossEntropy::new(), shape);
    assert_eq!(error, Error::SlabStride { tensor, stride: 11, n_classes: 3, inner: 4 });
    let expected = format!("expected {tensor} slabs of 3 x 4 at least as far apart, found a stride of 11");
    assert_eq!(error.to_string(), expected);
}

#[rstest]
#[case(7, 4)]
#[case(8, 0)]
#[case(0, 0)]
fn rows_that_are_no_whole_slabs_are_refused(#[case] n_rows: usize, #[case] inner: usize) {
    let mut shape = SLABS;
    (shape.n_rows, shape.inner) = (n_rows, inner);
    let error = refused(CrossEntropy::new(), shape);
    assert_eq!(error, Error::Slabs { n_rows, inner });
    assert_eq!(error.to_string(), format!("expected rows in whole slabs of `inner` = {inner}, found {n_rows}"));
}

#[rstest]
#[case(Shape::planes(usize::MAX, 2, 2))]
#[case(Shape::planes(1, usize::MAX, 2))]
#[case(Shape::planes(1, 1 << 29, 4))]
fn planes_beyond_every_index_are_refused(#[case] shape: Shape) {
    assert!(matches!(refused(CrossEntropy::new(), shape), Error::TooLarge { .. }));
}

#[test]
fn planes_without_positions_are_an_empty_batch() {
    assert_eq!(Shape::planes(2, 3, 0), Shape::new(0, 3));
    assert_accepted(CrossEntropy::new(), Shape::planes(2, 3, 0));
}

#[rstest]
#[case(Shape::new(2, 0))]
#[case(Shape::new(0, 0))]
fn no_classes_are_refused(#[case] shape: Shape) {
    let error = refused(CrossEntropy::new(), shape);
    assert_eq!(error, Error::NoClasses);
    assert_eq!(error.to_string(), "expected at least one class, found 0");
}

#[rstest]
#[case(Shape::new(1, (1 << 30) + 1), "expected classes to be at most 1073741824, found 1073741825")]
#[case(Shape::new((1 << 31) + 1, 1), "expected rows to be at most 2147483648, found 2147483649")]
#[case(
    SHAPE.dlogits_stride((1 << 30) + 1),
    "expected elements between rows to be at most 1073741824, found 1073741825"
)]
#[case(
    Shape::new((1 << 18) + 1, 1 << 30),
    "expected elements of a tensor to be at most 281474976710656, found 281476050452480"
)]
fn sizes_beyond_the_limits_are_refused(#[case] shape: Shape, #[case] message: &str) {
    let error = refused(CrossEntropy::new(), shape);
    assert!(matches!(error, Error::TooLarge { .. }), "{error:?}");
    assert_eq!(error.to_string(), message);
}

#[test]
fn more_ignored_labels_than_kernels_look_through_are_refused() {
    let mut loss = CrossEntropy::new();
    loss.ignore_index = (0..1024).map(|n| -1 - n).collect();
    assert_accepted(loss.clone(), SHAPE);
    loss.ignore_index.push(7);
    let error = refused(loss, SHAPE);
    assert_eq!(error.to_string(), "expected ignored labels to be at most 1024, found 1025");
}

#[rstest]
#[case(Shape::new(0, 1))]
#[case(Shape::new(1, 1))]
#[case(SHAPE.logits_stride(3).targets_stride(3).dlogits_stride(3))]
#[case(SHAPE.logits_stride(1 << 30).targets_stride(4).dlogits_stride(5))]
#[case(Shape::new(1, 1 << 30))]
#[case(Shape::new(1 << 31, 1))]
#[case(Shape::new(1 << 18, 1 << 30))]
fn sizes_at_the_limits_pass(#[case] shape: Shape) {
    assert_accepted(CrossEntropy::new(), shape);
}

#[rstest]
#[case(CrossEntropy::new().label_smoothing(-0.5), "expected label_smoothing in 0..=1, found -0.5")]
#[case(CrossEntropy::new().label_smoothing(1.5), "expected label_smoothing in 0..=1, found 1.5")]
#[case(CrossEntropy::new().label_smoothing(NAN), "expected label_smoothing in 0..=1, found NaN")]
#[case(SoftCrossEntropy::new().label_smoothing(1.5), "expected label_smoothing in 0..=1, found 1.5")]
#[case(SoftmaxFocal::new(-0.5), "expected gamma finite and at least 0, found -0.5")]
#[case(SoftmaxFocal::new(INF), "expected gamma finite and at least 0, found inf")]
#[case(SoftmaxFocal::new(NAN), "expected gamma finite and at least 0, found NaN")]
#[case(SigmoidFocal::new(-0.5), "expected gamma finite and at least 0, found -0.5")]
#[case(SoftmaxFocal::new(2.0).alpha(1.5), "expected alpha in 0..=1, found 1.5")]
#[case(SoftmaxFocal::new(2.0).alpha(NAN), "expected alpha in 0..=1, found NaN")]
#[case(SigmoidFocal::new(2.0).alpha(-0.25), "expected alpha in 0..=1, found -0.25")]
#[case(CrossEntropy::new().temperature(0.0), "expected temperature in 1e-37..=1e37, found 0")]
#[case(SoftmaxFocal::new(2.0).temperature(NAN), "expected temperature in 1e-37..=1e37, found NaN")]
#[case(CrossEntropy::new().softcap(0.0), "expected softcap in 1e-37..=1e37, found 0")]
#[case(SoftmaxFocal::new(2.0).softcap(-1.0), "expected softcap in 1e-37..=1e37, found -1")]
#[case(SoftCrossEntropy::new().softcap(0.0), "expected softcap in 1e-37..=1e37, found 0")]
#[case(kl().z_loss(INF), "expected z_loss finite, found inf")]
#[case(CrossEntropy::new().z_loss(NAN), "expected z_loss finite, found NaN")]
#[case(CrossEntropy::new().poly1(INF), "expected poly1 finite, found inf")]
#[case(kl().temperature(0.0), "expected temperature in 1e-37..=1e37, found 0")]
#[case(kl().temperature(-1.0), "expected temperature in 1e-37..=1e37, found -1")]
#[case(kl().temperature(INF), "expected temperature in 1e-37..=1e37, found inf")]
#[case(kl().temperature(NAN), "expected temperature in 1e-37..=1e37, found NaN")]
#[case(js().beta(-0.5), "expected beta in 0..=1, found -0.5")]
#[case(js().beta(1.5), "expected beta in 0..=1, found 1.5")]
#[case(js().beta(NAN), "expected beta in 0..=1, found NaN")]
#[case(js().temperature(0.0), "expected temperature in 1e-37..=1e37, found 0")]
#[case(CrossEntropy::new().reduction(Reduction::SumDividedBy(INF)), "expected SumDividedBy finite, found inf")]
#[case(Entropy::of_logits().reduction(Reduction::SumDividedBy(NAN)), "expected SumDividedBy finite, found NaN")]
fn options_out_of_range_are_refused(#[case] loss: impl Into<Loss>, #[case] message: &str) {
    let error = refused(loss, SHAPE);
    assert!(matches!(error, Error::Option { .. }), "{error:?}");
    assert_eq!(error.to_string(), message);
}

#[rstest]
#[case(CrossEntropy::new().label_smoothing(0.0))]
#[case(CrossEntropy::new().label_smoothing(1.0))]
#[case(CrossEntropy::new().class_weights([0.0, -1.0, f32::MAX]))]
#[case(SoftCrossEntropy::new().label_smoothing(1.0).class_weights([0.0, -1.0, f32::MIN]))]
#[case(SoftmaxFocal::new(0.0).alpha(0.0))]
#[case(SoftmaxFocal::new(f32::MAX).alpha(1.0))]
#[case(SoftmaxFocal::new(2.0).alpha([0.0, -1.0, 7.0]))]
#[case(SigmoidFocal::new(0.0).alpha(0.0))]
#[case(SigmoidFocal::new(2.0).alpha(1.0))]
#[case(BinaryCrossEntropy::new().pos_weight(0.0))]
#[case(BinaryCrossEntropy::new().pos_weight([0.0, -1.0, 7.0]))]
#[case(kl().temperature(1e-37))]
#[case(js().beta(0.0))]
#[case(js().beta(1.0))]
#[case(ReverseKlDivergence::from_log_probs(Form::Logits).reduction(Reduction::BatchMean))]
#[case(TotalVariation::from_logits(Form::Logits).reduction(Reduction::BatchMean))]
#[case(KlDivergence::from_log_probs(Form::Logits).temperature(1e37).reduction(Reduction::BatchMean))]
#[case(CrossEntropy::new().reduction(Reduction::SumDividedBy(0.0)))]
#[case(CrossEntropy::new().reduction(Reduction::SumDividedBy(-1.0)))]
fn options_at_the_ends_of_their_range_pass(#[case] loss: impl Into<Loss>) {
    assert_accepted(loss, SHAPE);
}

#[rstest]
#[case(CrossEntropy::new().class_weights([1.0; 2]), "class_weights", 2)]
#[case(CrossEntropy::new().class_weights([1.0; 4]), "class_weights", 4)]
#[case(NegativeLogLikelihood::new().class_weights([1.0; 2]), "class_weights", 2)]
#[case(SoftCrossEntropy::new().class_weights([1.0]), "class_weights", 1)]
#[case(SoftmaxFocal::new(2.0).alpha([0.5; 2]), "alpha", 2)]
#[case(BinaryCrossEntropy::new().pos_weight([]), "pos_weight", 0)]
fn class_vectors_of_another_length_are_refused(
    #[case] loss: impl Into<Loss>,
    #[case] option: &'static str,
    #[case] found: usize,
) {
    let error = refused(loss, SHAPE);
    assert_eq!(error, Error::ClassVectorLength { option, expected: 3, found });
    assert_eq!(error.to_string(), format!("expected 3 values of {option}, one per class, found {found}"));
}

#[rstest]
#[case(CrossEntropy::new().class_weights([1.0, INF, NAN]), "expected finite class_weights, found inf for class 1")]
#[case(SoftCrossEntropy::new().class_weights([1.0, 1.0, NAN]), "expected finite class_weights, found NaN for class 2")]
#[case(NegativeLogLikelihood::new().class_weights([1.0, INF, 1.0]), "expected finite class_weights, found inf for class 1")]
#[case(SoftmaxFocal::new(0.0).alpha([-INF, 1.0, 1.0]), "expected finite alpha, found -inf for class 0")]
#[case(BinaryCrossEntropy::new().pos_weight([1.0, NAN, 1.0]), "expected finite pos_weight, found NaN for class 1")]
#[case(BinaryCrossEntropy::new().pos_weight(INF), "expected finite pos_weight, found inf for class 0")]
fn class_vectors_that_are_not_finite_are_refused(#[case] loss: impl Into<Loss>, #[case] message: &str) {
    let error = refused(loss, SHAPE);
    assert!(matches!(error, Error::ClassVectorValue { .. }), "{error:?}");
    assert_eq!(error.to_string(), message);
}

#[rstest]
#[case(CrossEntropy::new().reduction(Reduction::BatchMean), "cross_entropy has no reduction BatchMean")]
#[case(SoftCrossEntropy::new().reduction(Reduction::BatchMean), "soft_cross_entropy has no reduction BatchMean")]
#[case(SoftmaxFocal::new(2.0).reduction(Reduction::BatchMean), "softmax_focal has no reduction BatchMean")]
#[case(SoftmaxFocal::new(0.0).reduction(Reduction::BatchMean), "softmax_focal has no reduction BatchMean")]
#[case(BinaryCrossEntropy::new().reduction(Reduction::BatchMean), "binary_cross_entropy has no reduction BatchMean")]
#[case(SigmoidFocal::new(2.0).reduction(Reduction::BatchMean), "sigmoid_focal has no reduction BatchMean")]
#[case(Entropy::of_logits().reduction(Reduction::BatchMean), "entropy has no reduction BatchMean")]
#[case(Entropy::of_probs().reduction(Reduction::BatchMean), "distribution_entropy has no reduction BatchMean")]
fn batch_mean_is_refused_outside_the_divergence(#[case] loss: impl Into<Loss>, #[case] message: &str) {
    let error = refused(loss, SHAPE);
    assert!(matches!(error, Error::Reduction { reduction: Reduction::BatchMean, .. }), "{error:?}");
    assert_eq!(error.to_string(), message);
}

#[test]
fn values_per_element_have_no_gradient_of_the_teacher() {
    let kl = kl().per_element().teacher_gradient();
    assert_accepted(kl.clone(), SHAPE);
    let error = refused(kl.reduction(Reduction::None), SHAPE);
    assert_eq!(error, Error::TeacherGradient { loss: "kl_divergence" });
    let message = "kl_divergence with one value per element has no gradient with respect to the targets";
    assert_eq!(error.to_string(), message);
}

#[test]
fn one_class_leaves_no_other_to_smooth_over() {
    let smooth = CrossEntropy::new().label_smoothing(0.25).smoothing(Smoothing::OtherClasses);
    assert_accepted(smooth.clone(), Shape::new(1, 2));
    assert_eq!(refused(smooth, Shape::new(1, 1)), Error::NoOtherClasses);
}

/// The fields are public, so a form that the formula has no case for can be set.
#[test]
fn a_form_that_the_loss_cannot_read_is_refused() {
    let (mut kl, mut js, mut entropy, mut bce) = (kl(), js(), Entropy::of_logits(), BinaryCrossEntropy::new());
    (kl.input, js.input, entropy.input, bce.input) = (Form::Probs, Form::Probs, Form::LogProbs, Form::LogProbs);
    refused(kl, SHAPE);
    assert_eq!(refused(js, SHAPE).to_string(), "jensen_shannon starts from logits or log-probabilities");
    refused(entropy, SHAPE);
    assert_eq!(refused(bce, SHAPE).to_string(), "binary_cross_entropy starts from logits or probabilities");
}

#[test]
fn binary_cross_entropy_of_probabilities_has_no_pos_weight() {
    let error = refused(BinaryCrossEntropy::of_probs().pos_weight(2.0), SHAPE);
    assert_eq!(error, Error::PosWeight { loss: "binary_cross_entropy_of_probs" });
    let message = "binary_cross_entropy_of_probs has no pos_weight; it belongs to binary cross-entropy of logits";
    assert_eq!(error.to_string(), message);
}

#[rstest]
#[case(kl().per_element().reduction(Reduction::None).row_weights(RowWeights::Mask), "kl_divergence")]
#[case(Entropy::of_probs().row_weights(RowWeights::Scale), "distribution_entropy")]
fn row_weights_need_rows(#[case] loss: impl Into<Loss>, #[case] name: &'static str) {
    let error = refused(loss, SHAPE);
    assert_eq!(error, Error::NoRowWeights { loss: name });
    assert_eq!(error.to_string(), format!("{name} is computed element by element and takes no row weights"));
}

#[rstest]
#[case(Side::new().lse().argmax().mean(), "argmax")]
#[case(Side::new().mean(), "nothing")]
fn side_outputs_without_a_mean_are_refused(#[case] side: Side, #[case] found: &'static str) {
    let error = refused(CrossEntropy::new().side(side), SHAPE);
    assert_eq!(error, Error::SideMean { found });
    assert_eq!(error.to_string(), format!("expected side outputs that have a mean, found {found}"));
}

#[rstest]
#[case(SoftCrossEntropy::new().side(Side::new().lse().log_prob()), "soft_cross_entropy takes log_prob only with a label per row")]
#[case(kl().side(Side::new().prob().top_1()), "kl_divergence takes prob only with a label per row")]
#[case(kl().side(Side::new().top_1()), "kl_divergence takes top_1 only with a label per row")]
#[case(kl().side(Side::new().top_k(5)), "kl_divergence takes top_k only with a label per row")]
#[case(KlDivergence::from_log_probs(Form::Probs).z_loss(0.5), "kl_divergence takes z_loss only with logits of ours")]
#[case(
    KlDivergence::from_log_probs(Form::Logits).side(Side::new().lse()),
    "kl_divergence takes side outputs only with logits of ours"
)]
#[case(
    kl().per_element().reduction(Reduction::None).z_loss(0.5),
    "kl_divergence takes z_loss only with one value per row"
)]
fn what_a_row_against_a_distribution_lacks_is_refused(#[case] loss: impl Into<Loss>, #[case] message: &str) {
    assert_eq!(refused(loss, SHAPE).to_string(), message);
}

#[rstest]
#[case(CrossEntropy::new().softcap(2.0), kl(), "softcap of one of the two: both map the same logits")]
#[case(CrossEntropy::new(), kl().softcap(2.0), "softcap of one of the two: both map the same logits")]
#[case(CrossEntropy::new(), kl().z_loss(0.5), "z_loss of the divergence, which the loss against labels has")]
#[case(CrossEntropy::new(), kl().side(Side::new().lse()), "side outputs of the divergence")]
#[case(CrossEntropy::new(), kl().row_weights(RowWeights::Mask), "row_weights of the divergence")]
#[case(CrossEntropy::new(), kl().reduction(Reduction::Sum), "a reduction of the divergence")]
#[case(CrossEntropy::new(), KlDivergence::from_log_probs(Form::Probs), "log-probabilities of the student")]
#[case(CrossEntropy::new(), kl().teacher_gradient(), "the teacher's gradient")]
fn what_a_part_cannot_say_for_the_whole_is_refused(
    #[case] hard: CrossEntropy,
    #[case] soft: KlDivergence,
    #[case] option: &'static str,
) {
    let error = refused(Distillation::new(hard, soft), SHAPE);
    assert_eq!(error, Error::PartOption { option });
    let message = format!("a part of a distillation takes no options of its own for the whole: {option}");
    assert_eq!(error.to_string(), message);
}

#[test]
fn options_of_both_parts_are_held_to_their_ranges() {
    let of = |hard, soft| Distillation::new(hard, soft);
    let option = |loss| refused(loss, SHAPE).to_string();
    assert_eq!(option(of(CrossEntropy::new(), kl()).weights(NAN, 1.0)), "expected hard_weight finite, found NaN");
    assert_eq!(option(of(CrossEntropy::new(), kl()).weights(1.0, INF)), "expected soft_weight finite, found inf");
    let smoothed = of(CrossEntropy::new().label_smoothing(2.0), kl());
    assert_eq!(option(smoothed), "expected label_smoothing in 0..=1, found 2");
    let cold = of(CrossEntropy::new(), kl().temperature(0.0));
    assert_eq!(option(cold), "expected temperature in 1e-37..=1e37, found 0");
    let focused = Distillation::new(SoftmaxFocal::new(-1.0), kl());
    assert_eq!(option(focused), "expected gamma finite and at least 0, found -1");
    assert_accepted(of(CrossEntropy::new().ignore_index(1).z_loss(0.1), kl()).weights(-1.0, 0.0), SHAPE);
    assert_accepted(Distillation::new(SoftmaxFocal::new(2.0).alpha(0.25), kl()), SHAPE);
}

#[rstest]
#[case(0, Shape::new(2, 3), "expected a top-k teacher of 1 to 3 classes a row, found 0")]
#[case(4, Shape::new(2, 3), "expected a top-k teacher of 1 to 3 classes a row, found 4")]
#[case(257, Shape::new(2, 50_000), "expected a top-k teacher of 1 to 256 classes a row, found 257")]
fn a_teacher_of_no_class_or_too_many_is_refused(#[case] k: usize, #[case] shape: Shape, #[case] message: &str) {
    assert_eq!(refused(kl().top_k(k, Rest::Dropped), shape).to_string(), message);
    let limit = shape.n_classes.min(256);
    [1, limit].into_iter().for_each(|k| assert_accepted(kl().top_k(k, Rest::Dropped), shape));
}

#[rstest]
#[case(KlDivergence::from_logits(Form::Logits), "probabilities or log-probabilities of the teacher")]
#[case(KlDivergence::from_log_probs(Form::Probs), "logits of the student")]
#[case(kl().teacher_gradient(), "the gradient of the logits alone")]
#[case(kl().per_element().reduction(Reduction::None), "one value per row")]
fn what_a_top_k_teacher_does_not_go_with_is_refused(#[case] kl: KlDivergence, #[case] expected: &'static str) {
    let error = refused(kl.top_k(2, Rest::Dropped), SHAPE);
    assert_eq!(error, Error::TopKTeacher { loss: "kl_divergence", expected });
    assert_eq!(error.to_string(), format!("kl_divergence with a top-k teacher expects {expected}"));
}

#[rstest]
#[case(reverse(Form::Probs).top_k(2, Rest::Renormalised), "reverse_kl_divergence", "probabilities, their rest spread")]
#[case(reverse(Form::Probs).top_k(2, Rest::Dropped), "reverse_kl_divergence", "probabilities, their rest spread")]
#[case(reverse(Form::LogProbs).top_k(2, Rest::Spread), "reverse_kl_divergence", "probabilities, their rest spread")]
#[case(
    JensenShannon::from_logits(Form::LogProbs).top_k(2, Rest::Spread),
    "jensen_shannon",
    "probabilities where the rest is spread"
)]
#[case(
    TotalVariation::from_logits(Form::LogProbs).top_k(2, Rest::Spread),
    "total_variation",
    "probabilities where the rest is spread"
)]
fn no_logarithm_is_taken_of_what_rounding_leaves(
    #[case] loss: impl Into<Loss>,
    #[case] name: &'static str,
    #[case] expected: &'static str,
) {
    assert_eq!(refused(loss, SHAPE), Error::TopKTeacher { loss: name, expected });
}

fn reverse(target: Form) -> ReverseKlDivergence {
    ReverseKlDivergence::from_logits(target)
}
