//! What holding host slices against a problem refuses: presence, kind, length, range.

use rstest::rstest;
use surprisal::half::f16;
use surprisal::{
    BinaryCrossEntropy, Broadcast, CrossEntropy, Distillation, Engine, Entropy, Error, Form, Inputs, JensenShannon,
    KlDivergence, Loss, NegativeLogLikelihood, Pass, Reduction, Rest, ReverseKlDivergence, RowWeights, Shape,
    SigmoidFocal, SoftCrossEntropy, SoftmaxFocal, TotalVariation,
};

use Pass::{Backward, Forward, ForwardBackward};

/// Two rows of three classes, inputs padded to 4 and 5, the gradient to 6.
const SHAPE: Shape = Shape::new(2, 3).logits_stride(4).targets_stride(5).dlogits_stride(6);
const LOGITS: [f32; 7] = [0.5; 7];
const LABELS: [i32; 2] = [2, 0];
const VALUES: [f32; 8] = [0.25; 8];
const ZEROS: [f32; 16] = [0.0; 16];
const HALVES: [f16; 4] = [f16::ONE; 4];

#[track_caller]
fn refused(loss: impl Into<Loss>, pass: Pass, inputs: Inputs<'_>) -> Error {
    let loss = loss.into();
    let output = Engine::cpu().evaluate(&loss, pass, SHAPE, inputs);
    output.expect_err(&format!("{loss:?} in {pass:?} with {inputs:?} should be refused"))
}

#[track_caller]
fn assert_accepted(loss: impl Into<Loss>, pass: Pass, inputs: Inputs<'_>) {
    let loss = loss.into();
    if let Err(error) = Engine::cpu().evaluate(&loss, pass, SHAPE, inputs) {
        panic!("{loss:?} in {pass:?} with {inputs:?} should pass, found: {error}");
    }
}

fn logits() -> Inputs<'static> {
    Inputs::new(&LOGITS)
}

fn labelled() -> Inputs<'static> {
    logits().targets(&LABELS)
}

fn valued() -> Inputs<'static> {
    logits().targets(&VALUES)
}

fn distillation() -> Distillation {
    Distillation::new(CrossEntropy::new(), KlDivergence::from_logits(Form::Probs))
}

fn divided_by_input() -> CrossEntropy {
    CrossEntropy::new().reduction(Reduction::SumDividedByInput)
}

fn masked() -> CrossEntropy {
    CrossEntropy::new().row_weights(RowWeights::Mask)
}

fn top_2() -> KlDivergence {
    KlDivergence::from_logits(Form::Probs).top_k(2, Rest::Spread)
}

/// Against labels as well.
fn both() -> Distillation {
    Distillation::new(CrossEntropy::new().ignore_index(-100), top_2())
}

fn taught() -> Inputs<'static> {
    labelled().teacher_ids(&[2, 0, 1, -1]).target_probs(&[0.25; 4])
}

fn named() -> Inputs<'static> {
    logits().targets(&[2, 0, 1, -1]).target_probs(&[0.25; 4])
}

#[test]
fn a_refused_spec_is_refused_here_too() {
    let error = refused(CrossEntropy::new().label_smoothing(2.0), Forward, labelled());
    assert_eq!(error.to_string(), "expected label_smoothing in 0..=1, found 2");
}

#[rstest]
#[case(CrossEntropy::new(), Forward, logits(), "cross_entropy needs targets for Forward, found none")]
#[case(BinaryCrossEntropy::new(), Forward, logits(), "binary_cross_entropy needs targets for Forward, found none")]
#[case(Loss::Softmax, ForwardBackward, logits(), "softmax needs dloss for ForwardBackward, found none")]
#[case(Loss::LogSoftmax, Backward, logits().row_state(&ZEROS[..4]), "log_softmax needs dloss for Backward, found none")]
#[case(divided_by_input(), Forward, labelled(), "cross_entropy needs divisor for Forward, found none")]
#[case(masked(), Forward, labelled(), "cross_entropy needs row_weights for Forward, found none")]
#[case(
    NegativeLogLikelihood::new(),
    Forward,
    logits(),
    "negative_log_likelihood needs targets for Forward, found none"
)]
#[case(CrossEntropy::new(), Backward, labelled(), "cross_entropy needs row_state for Backward, found none")]
#[case(Entropy::of_logits(), Backward, logits(), "entropy needs row_state for Backward, found none")]
#[case(distillation(), Forward, labelled(), "distillation needs teacher for Forward, found none")]
#[case(top_2(), Forward, logits().target_probs(&[0.25; 4]), "kl_divergence needs targets for Forward, found none")]
#[case(top_2(), Forward, logits().targets(&[2, 0, 1, -1]), "kl_divergence needs target_probs for Forward, found none")]
#[case(both(), Forward, labelled().target_probs(&[0.25; 4]), "distillation needs teacher_ids for Forward, found none")]
#[case(both(), Forward, labelled().teacher_ids(&[2, 0, 1, -1]), "distillation needs target_probs for Forward, found none")]
#[case(both(), Backward, taught(), "distillation needs row_state for Backward, found none")]
fn tensors_that_are_needed_are_missed(
    #[case] loss: impl Into<Loss>,
    #[case] pass: Pass,
    #[case] inputs: Inputs<'_>,
    #[case] message: &str,
) {
    let error = refused(loss, pass, inputs);
    assert!(matches!(error, Error::Missing { .. }), "{error:?}");
    assert_eq!(error.to_string(), message);
}

#[rstest]
#[case(Entropy::of_logits(), Forward, valued(), "entropy does not use targets in Forward, found one")]
#[case(Loss::Softmax, Forward, labelled(), "softmax does not use targets in Forward, found one")]
#[case(
    CrossEntropy::new(),
    Forward,
    labelled().teacher(&VALUES),
    "cross_entropy does not use teacher in Forward, found one"
)]
#[case(
    CrossEntropy::new(),
    Forward,
    labelled().weights(&ZEROS[..2], Broadcast::PerRow),
    "cross_entropy does not use weights in Forward, found one"
)]
#[case(
    Entropy::of_probs(),
    Forward,
    logits().weights(&ZEROS[..2], Broadcast::PerRow),
    "distribution_entropy does not use weights in Forward, found one"
)]
#[case(
    CrossEntropy::new(),
    Forward,
    labelled().dloss(&[1.0]),
    "cross_entropy does not use dloss in Forward, found one"
)]
#[case(
    CrossEntropy::new(),
    ForwardBackward,
    labelled().divisor(2.0),
    "cross_entropy does not use divisor in ForwardBackward, found one"
)]
#[case(
    CrossEntropy::new(),
    ForwardBackward,
    labelled().row_state(&ZEROS[..4]),
    "cross_entropy does not use row_state in ForwardBackward, found one"
)]
#[case(
    NegativeLogLikelihood::new(),
    Backward,
    labelled().row_state(&ZEROS[..4]),
    "negative_log_likelihood does not use row_state in Backward, found one"
)]
#[case(
    NegativeLogLikelihood::new(),
    Forward,
    labelled().row_weights(&ZEROS[..2]),
    "negative_log_likelihood does not use row_weights in Forward, found one"
)]
#[case(
    BinaryCrossEntropy::new(),
    Backward,
    valued().row_state(&ZEROS[..4]),
    "binary_cross_entropy does not use row_state in Backward, found one"
)]
#[case(
    CrossEntropy::new(),
    Forward,
    labelled().target_probs(&[0.25; 2]),
    "cross_entropy does not use target_probs in Forward, found one"
)]
#[case(both(), Forward, taught().teacher(&VALUES), "distillation does not use teacher in Forward, found one")]
#[case(
    distillation(),
    Forward,
    taught().teacher(&VALUES),
    "distillation does not use teacher_ids in Forward, found one"
)]
#[case(top_2(), Forward, named().teacher_ids(&[0; 4]), "kl_divergence does not use teacher_ids in Forward, found one")]
fn tensors_that_would_be_ignored_are_refused(
    #[case] loss: impl Into<Loss>,
    #[case] pass: Pass,
    #[case] inputs: Inputs<'_>,
    #[case] message: &str,
) {
    let error = refused(loss, pass, inputs);
    assert!(matches!(error, Error::Unused { .. }), "{error:?}");
    assert_eq!(error.to_string(), message);
}

#[rstest]
#[case(CrossEntropy::new(), valued(), "class indices, one per row", "one number per class")]
#[case(SoftCrossEntropy::new(), labelled(), "one number per class", "class indices, one per row")]
fn targets_of_the_other_kind_are_refused(
    #[case] loss: impl Into<Loss>,
    #[case] inputs: Inputs<'_>,
    #[case] expected: &str,
    #[case] found: &str,
) {
    let loss = loss.into();
    let name = if let Loss::CrossEntropy(_) = loss { "cross_entropy" } else { "soft_cross_entropy" };
    let error = refused(loss, Forward, inputs);
    assert!(matches!(error, Error::TargetKind { .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("{name} expects targets as {expected}, found {found}"));
}

#[test]
fn a_top_k_teacher_names_its_classes() {
    let error = refused(top_2(), Forward, valued().target_probs(&[0.25; 4]));
    assert_eq!(
        error.to_string(),
        "kl_divergence expects targets as class indices, k per row, found one number per class"
    );
}

#[rstest]
#[case([0, 3, 1, 2], "expected targets to be class indices in 0..3, found 3 in row 0")]
#[case([0, -1, 1, i32::MAX], "expected targets to be class indices in 0..3, found 2147483647 in row 1")]
#[case([0, 1, 2, 2], "expected a top-k teacher to name a class once, found 2 twice in row 1")]
fn classes_that_cannot_be_named_are_refused(#[case] ids: [i32; 4], #[case] message: &str) {
    let error = refused(top_2(), Forward, logits().targets(&ids).target_probs(&[0.25; 4]));
    assert_eq!(error.to_string(), message);
}

/// Padding has any ids, and any numbers.
#[test]
fn of_a_teacher_beside_labels_rows_that_are_not_ignored_are_looked_at() {
    let refused = |ids: &[i32; 4]| {
        let inputs = logits().targets(&[-100, 0]).teacher_ids(ids).target_probs(&[f32::NAN, -1.0, 0.5, 0.25]);
        Engine::cpu().evaluate(both(), ForwardBackward, SHAPE, inputs).map_err(|error| error.to_string())
    };
    assert_eq!(
        refused(&[0, 1, 0, 3]),
        Err("expected teacher_ids to be class indices in 0..3, found 3 in row 1".to_string())
    );
    let twice = "expected a top-k teacher to name a class once, found 2 twice in row 1";
    assert_eq!(refused(&[0, 0, 2, 2]), Err(twice.to_string()));
    for ids in [[0, 0, 1, 2], [3, -7, 1, 2], [i32::MAX, 0, 1, 2]] {
        let output = refused(&ids).expect("the second row is sound");
        assert_eq!(output.dlogits.expect("a gradient")[..3], [0.0; 3]);
        assert!(output.values[0].is_finite());
    }
}

#[rstest]
#[case(both(), Forward, labelled().teacher_ids(&[2_i64, 0, 1, -1]).target_probs(&[0.25; 4]), "teacher_ids", "i32", "i64")]
#[case(both(), Forward, labelled().teacher_ids(&[2, 0, 1, -1]).target_probs(&HALVES), "target_probs", "f32", "f16")]
#[case(distillation(), Forward, labelled().teacher(&HALVES), "teacher", "f32", "f16")]
#[case(Loss::Softmax, ForwardBackward, logits().dloss(&HALVES), "dloss", "f32", "f16")]
fn slices_are_stored_as_the_shape_says(
    #[case] loss: impl Into<Loss>,
    #[case] pass: Pass,
    #[case] inputs: Inputs<'_>,
    #[case] tensor: &'static str,
    #[case] expected: &'static str,
    #[case] found: &'static str,
) {
    assert_eq!(refused(loss, pass, inputs), Error::Storage { tensor, expected, found });
}

#[rstest]
#[case(CrossEntropy::new(), Forward, Inputs::new(&ZEROS[..6]).targets(&LABELS), "logits", 7, 6)]
#[case(CrossEntropy::new(), Forward, Inputs::new(&ZEROS[..9]).targets(&LABELS), "logits", 7, 9)]
#[case(CrossEntropy::new(), Forward, logits().targets(&[0]), "targets", 2, 1)]
#[case(SoftCrossEntropy::new(), Forward, logits().targets(&ZEROS[..6]), "targets", 8, 6)]
#[case(SigmoidFocal::new(2.0), Forward, valued().weights(&[1.0; 3], Broadcast::PerRow), "weights", 2, 3)]
#[case(BinaryCrossEntropy::new(), Forward, valued().weights(&[1.0; 2], Broadcast::PerClass), "weights", 3, 2)]
#[case(BinaryCrossEntropy::new(), Forward, valued().weights(&[1.0; 7], Broadcast::PerElement), "weights", 6, 7)]
#[case(masked(), Forward, labelled().row_weights(&[1.0]), "row_weights", 2, 1)]
#[case(masked(), Forward, labelled().row_weights(&[1.0; 3]), "row_weights", 2, 3)]
#[case(CrossEntropy::new(), ForwardBackward, labelled().dloss(&[1.0; 2]), "dloss", 1, 2)]
#[case(CrossEntropy::new().reduction(Reduction::None), ForwardBackward, labelled().dloss(&[1.0]), "dloss", 2, 1)]
#[case(BinaryCrossEntropy::new().reduction(Reduction::None), Backward, valued().dloss(&[1.0; 2]), "dloss", 6, 2)]
#[case(Loss::Softmax, ForwardBackward, logits().dloss(&[1.0; 8]), "dloss", 6, 8)]
#[case(distillation(), Forward, labelled().teacher(&VALUES[..5]), "teacher", 8, 5)]
#[case(distillation(), Backward, labelled().teacher(&VALUES).row_state(&ZEROS[..6]), "row_state", 14, 6)]
#[case(distillation(), ForwardBackward, labelled().teacher(&VALUES).dloss(&[1.0; 3]), "dloss", 1, 3)]
#[case(CrossEntropy::new(), Backward, labelled().row_state(&ZEROS[..3]), "row_state", 4, 3)]
#[case(Entropy::of_logits(), Backward, logits().row_state(&ZEROS[..4]), "row_state", 6, 4)]
#[case(KlDivergence::from_logits(Form::Logits), Backward, valued().row_state(&ZEROS[..6]), "row_state", 8, 6)]
#[case(top_2(), Forward, logits().targets(&[2, 0]).target_probs(&[0.25; 4]), "targets", 4, 2)]
#[case(top_2(), Forward, named().target_probs(&[0.25; 2]), "target_probs", 4, 2)]
#[case(top_2(), Backward, named().row_state(&ZEROS[..4]), "row_state", 6, 4)]
#[case(both(), Forward, labelled().teacher_ids(&[2, 0]).target_probs(&[0.25; 4]), "teacher_ids", 4, 2)]
#[case(both(), Forward, taught().target_probs(&[0.25; 2]), "target_probs", 4, 2)]
#[case(both(), Forward, taught().targets(&[2, 0, 1, -1]), "targets", 2, 4)]
#[case(both(), Backward, taught().row_state(&ZEROS[..10]), "row_state", 14, 10)]
fn slices_of_another_length_are_refused(
    #[case] loss: impl Into<Loss>,
    #[case] pass: Pass,
    #[case] inputs: Inputs<'_>,
    #[case] tensor: &'static str,
    #[case] expected: usize,
    #[case] found: usize,
) {
    let error = refused(loss, pass, inputs);
    assert_eq!(error, Error::Length { tensor, expected, found });
    assert_eq!(error.to_string(), format!("expected {expected} values of {tensor}, found {found}"));
}

#[rstest]
fn row_weights_that_are_no_numbers_are_refused(#[values(f32::NAN, f32::INFINITY, f32::NEG_INFINITY)] bad: f32) {
    let weights = [-0.5, bad];
    let error = refused(masked(), Forward, labelled().row_weights(&weights));
    assert!(matches!(error, Error::RowWeight { row: 1, .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("expected finite row weights, found {bad} in row 1"));
}

#[rstest]
#[case(f32::NAN, "found NaN for class 2 in row 1")]
#[case(-1e-45, "found -0.000000000000000000000000000000000000000000001 for class 2 in row 1")]
#[case(1.5, "found 1.5 for class 2 in row 1")]
fn probabilities_out_of_range_are_refused(#[case] bad: f32, #[case] found: &str) {
    // The padding after the first row is not looked at.
    let probs = [0.0, 1.0, -0.0, 7.0, 0.5, 0.5, bad];
    let soft_labels = [0.0, 1.0, -0.0, 7.0, 7.0, 0.5, 0.5, bad];
    let of_probs = (Loss::from(BinaryCrossEntropy::of_probs()), "logits", Inputs::new(&probs).targets(&VALUES));
    let focal = (Loss::from(SigmoidFocal::new(2.0)), "targets", logits().targets(&soft_labels));
    for (loss, tensor, inputs) in [of_probs, focal] {
        for pass in [Forward, ForwardBackward, Backward] {
            let error = refused(&loss, pass, inputs);
            assert!(matches!(error, Error::Probability { row: 1, class: 2, .. }), "{error:?}");
            assert_eq!(error.to_string(), format!("expected {tensor} to be probabilities in 0..=1, {found}"));
        }
    }
}

#[rstest]
fn a_divisor_that_is_no_number_is_refused(#[values(f32::NAN, f32::INFINITY)] divisor: f32) {
    let error = refused(divided_by_input(), Forward, labelled().divisor(divisor));
    assert_eq!(error.to_string(), format!("expected divisor finite, found {divisor}"));
}

#[rstest]
#[case([0, 3], &[], "expected targets to be class indices in 0..3, found 3 in row 1")]
#[case([-1, 7], &[], "expected targets to be class indices in 0..3, found -1 in row 0")]
#[case([-100, 0], &[], "expected targets to be class indices in 0..3, found -100 in row 0")]
#[case([-100, -99], &[5, -100], "expected targets to be class indices in 0..3, found -99 in row 1")]
#[case([i32::MAX, 0], &[i32::MIN], "expected targets to be class indices in 0..3, found 2147483647 in row 0")]
fn labels_out_of_range_are_refused(#[case] labels: [i32; 2], #[case] ignore_index: &[i32], #[case] message: &str) {
    let (mut ce, mut focal) = (CrossEntropy::new(), SoftmaxFocal::new(2.0));
    (ce.ignore_index, focal.ignore_index) = (ignore_index.to_vec(), ignore_index.to_vec());
    let mut nll = NegativeLogLikelihood::new();
    nll.ignore_index = ignore_index.to_vec();
    for loss in [Loss::from(ce), focal.into(), nll.into()] {
        let error = refused(loss, Forward, logits().targets(&labels));
        assert!(matches!(error, Error::TargetRange { n_classes: 3, .. }), "{error:?}");
        assert_eq!(error.to_string(), message);
    }
}

#[rstest]
#[case(CrossEntropy::new(), Forward, logits().targets(&[0, 2]))]
#[case(CrossEntropy::new().ignore_index(7), Forward, logits().targets(&[7, 2]))]
#[case(CrossEntropy::new().ignore_index(-100), Forward, logits().targets(&[-100, -100]))]
#[case(CrossEntropy::new(), Forward, Inputs::new(&ZEROS[..8]).targets(&LABELS))]
#[case(CrossEntropy::new(), ForwardBackward, labelled())]
#[case(CrossEntropy::new(), ForwardBackward, labelled().dloss(&[2.0]))]
#[case(CrossEntropy::new().reduction(Reduction::None), Backward, labelled().dloss(&[2.0; 2]).row_state(&ZEROS[..4]))]
#[case(divided_by_input(), Forward, labelled().divisor(2.0))]
#[case(SoftCrossEntropy::new(), Forward, logits().targets(&ZEROS[..10]))]
#[case(SoftCrossEntropy::new(), Backward, valued().row_state(&ZEROS[..6]))]
#[case(KlDivergence::from_log_probs(Form::Probs), Backward, valued().row_state(&ZEROS[..2]))]
#[case(KlDivergence::from_log_probs(Form::Logits), Backward, valued().row_state(&ZEROS[..4]))]
#[case(KlDivergence::from_logits(Form::Logits), Backward, valued().row_state(&ZEROS[..8]))]
#[case(BinaryCrossEntropy::new(), Backward, valued().weights(&[1.0; 2], Broadcast::PerRow))]
#[case(SigmoidFocal::new(2.0), Forward, valued().weights(&[1.0; 3], Broadcast::PerClass))]
#[case(SigmoidFocal::new(2.0), ForwardBackward, valued().weights(&[1.0; 6], Broadcast::PerElement))]
#[case(Entropy::of_logits(), Backward, logits().row_state(&ZEROS[..6]))]
#[case(Entropy::of_probs(), Backward, logits())]
#[case(top_2(), Forward, named())]
#[case(top_2(), Forward, logits().targets(&[2, 0, 1, u32::MAX]).target_probs(&[0.25; 4]))]
#[case(top_2(), Backward, named().row_state(&ZEROS[..6]))]
#[case(both(), Forward, taught())]
#[case(both(), Forward, labelled().teacher_ids(&[2, 0, 1, u32::MAX]).target_probs(&[0.25; 4]))]
#[case(both(), Backward, taught().row_state(&ZEROS[..14]))]
#[case(Loss::LogSoftmax, Forward, logits())]
#[case(Loss::Softmax, Backward, logits().dloss(&[1.0; 6]).row_state(&ZEROS[..4]))]
fn slices_that_fit_pass(#[case] loss: impl Into<Loss>, #[case] pass: Pass, #[case] inputs: Inputs<'_>) {
    assert_accepted(loss, pass, inputs);
}

/// The output's lengths follow pass, reduction and strides.
#[rstest]
#[case(CrossEntropy::new(), Forward, labelled(), 1, None, Some(4))]
#[case(CrossEntropy::new().reduction(Reduction::None), ForwardBackward, labelled(), 2, Some(9), None)]
#[case(CrossEntropy::new(), Backward, labelled().row_state(&ZEROS[..4]), 0, Some(9), None)]
#[case(BinaryCrossEntropy::new().reduction(Reduction::None), Forward, valued(), 6, None, None)]
#[case(KlDivergence::from_logits(Form::Logits).per_element().reduction(Reduction::None), Forward, valued(), 6, None, Some(10))]
#[case(KlDivergence::from_logits(Form::Logits).teacher_gradient(), Forward, valued(), 1, None, Some(10))]
#[case(ReverseKlDivergence::from_logits(Form::Logits), Forward, valued(), 1, None, Some(10))]
#[case(JensenShannon::from_logits(Form::Probs), Forward, valued(), 1, None, Some(6))]
#[case(TotalVariation::from_log_probs(Form::Probs), Forward, valued(), 1, None, Some(2))]
#[case(Loss::Softmax, Forward, logits(), 6, None, Some(4))]
fn outputs_have_the_lengths_they_are_documented_with(
    #[case] loss: impl Into<Loss>,
    #[case] pass: Pass,
    #[case] inputs: Inputs<'_>,
    #[case] values: usize,
    #[case] dlogits: Option<usize>,
    #[case] row_state: Option<usize>,
) {
    let output = Engine::cpu().evaluate(loss, pass, SHAPE, inputs).expect("the case is valid");
    let found = (output.values.len(), output.dlogits.map(|d| d.len()), output.row_state.map(|s| s.len()));
    assert_eq!(found, (values, dlogits, row_state));
}

#[rstest]
#[case(KlDivergence::from_logits(Form::Probs).teacher_gradient(), Forward, None)]
#[case(KlDivergence::from_logits(Form::Probs).teacher_gradient(), ForwardBackward, Some(10))]
#[case(KlDivergence::from_logits(Form::Probs), ForwardBackward, None)]
fn the_gradient_of_the_targets_has_a_stride_of_its_own(
    #[case] loss: KlDivergence,
    #[case] pass: Pass,
    #[case] dtargets: Option<usize>,
) {
    let output = Engine::cpu().evaluate(loss, pass, SHAPE.dtargets_stride(7), valued()).expect("the case is valid");
    assert_eq!(output.dtargets.map(|d| d.len()), dtargets);
}
