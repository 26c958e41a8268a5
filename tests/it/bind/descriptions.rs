//! What a plan says of itself before anything is made.

use rstest::rstest;
use surprisal::kernel::Variant;
use surprisal::{
    BinaryCrossEntropy, CrossEntropy, Description, Distillation, Entropy, Form, KlDivergence, Loss,
    NegativeLogLikelihood, Pass, Reduction, RowWeights, Side, SoftCrossEntropy, SoftmaxFocal,
};

use super::noop;
use crate::support::cases::{Batch, random_case};
use crate::support::staged::{APART, ARENA, Layout, Staged, plan};

fn described(loss: impl Into<Loss>, batch: Batch, layout: Layout) -> Description {
    let engine = noop(Variant::Workgroup);
    let case = random_case(loss.into(), batch);
    let staged = Staged::new(&engine, &case, Pass::ForwardBackward, layout, &[]);
    plan(&engine, &case, Pass::ForwardBackward).describe(&staged.buffers()).expect("these slices suffice")
}

/// The first part of each kernel's label.
fn kernels(description: &Description) -> Vec<&str> {
    description.dispatches.iter().filter_map(|dispatch| dispatch.kernel.split('/').next()).collect()
}

fn weighted() -> CrossEntropy {
    CrossEntropy::new().class_weights([0.5, 2.0, 0.0, 1.25, -0.75, 1.5])
}

/// Loss and gradient together: one dispatch by row, two where the divisor is known, three where labels or row weights
/// have to be counted first.
#[rstest]
#[case(CrossEntropy::new().reduction(Reduction::None), &["cross_entropy"])]
#[case(CrossEntropy::new(), &["cross_entropy", "values"])]
#[case(CrossEntropy::new().reduction(Reduction::Sum), &["cross_entropy", "values"])]
#[case(CrossEntropy::new().reduction(Reduction::SumDividedBy(3.5)), &["cross_entropy", "values"])]
#[case(CrossEntropy::new().reduction(Reduction::SumDividedByInput), &["cross_entropy", "values"])]
#[case(weighted().ignore_index(-100).reduction(Reduction::Sum), &["cross_entropy", "values"])]
#[case(CrossEntropy::new().ignore_index(-100), &["target_weights", "cross_entropy", "values"])]
#[case(weighted(), &["target_weights", "cross_entropy", "values"])]
#[case(CrossEntropy::new().row_weights(RowWeights::Mask), &["target_weights", "cross_entropy", "values"])]
#[case(SoftmaxFocal::new(2.0), &["softmax_focal", "values"])]
#[case(NegativeLogLikelihood::new(), &["negative_log_likelihood", "values"])]
#[case(SoftCrossEntropy::new(), &["soft_cross_entropy", "values"])]
#[case(KlDivergence::from_logits(Form::Logits), &["kl_divergence.logits", "values"])]
#[case(KlDivergence::from_logits(Form::Probs).row_weights(RowWeights::Mask).reduction(Reduction::Mean), &["row_weights", "kl_divergence.logits", "values"])]
#[case(BinaryCrossEntropy::new(), &["binary_cross_entropy", "values"])]
#[case(Entropy::of_logits(), &["entropy", "values"])]
#[case(CrossEntropy::new().side(Side::new().entropy().top_1().mean()), &["cross_entropy", "values", "values"])]
#[case(distillation(CrossEntropy::new()), &["distillation.cross_entropy.kl_divergence.logits", "values"])]
#[case(distillation(CrossEntropy::new().ignore_index(-100)), &["target_weights", "distillation.cross_entropy.kl_divergence.logits", "values"])]
#[case(Loss::Softmax, &["softmax"])]
fn loss_and_gradient_take_few_dispatches(#[case] loss: impl Into<Loss>, #[case] expected: &[&str]) {
    let description = described(loss, Batch::new(4096, 6), APART);
    let found = kernels(&description);
    let is_same = found.len() == expected.len() && found.iter().zip(expected).all(|(a, b)| a.starts_with(b));
    assert!(is_same, "found {found:?}, expected {expected:?}");
}

fn distillation(hard: CrossEntropy) -> Distillation {
    Distillation::new(hard, KlDivergence::from_logits(Form::Logits))
}

/// 300 rows of 6 classes: 7200 bytes of logits and of gradient, 1200 of labels, each slice 48 bytes after a place where
/// a binding may start. A row has one lane, which keeps its two tiles, so that workgroups of 256 leave two partial
/// sums, and one counts the labels. Classes are a factor and an ignored label; the number 1 stands in for each slice
/// left out.
#[test]
fn a_description_tells_what_is_launched_and_moved() {
    let description = described(CrossEntropy::new().ignore_index(-100), Batch::new(300, 6), APART);
    let expected = "\
target_weights/sum/workgroup/f32: 1 x 1 x 1 workgroups of 256, 1 to a row; 1260 bytes in, 4 out
cross_entropy/forward_backward/workgroup/f32/kept2: 2 x 1 x 1 workgroups of 256, 1 to a row; 8516 bytes in, 7256 out
values/sum/workgroup/f32: 1 x 1 x 1 workgroups of 256, 1 to a row; 12 bytes in, 52 out
512 bytes of scratch";
    assert_eq!(description.to_string(), expected);
    assert_eq!(description.scratch_bytes, 512);
}

/// Only where slices of one buffer meet, some written and some not, are all bound to be written.
#[test]
fn kernels_of_an_arena_are_those_whose_slices_meet_in_it() {
    let description = described(CrossEntropy::new().ignore_index(-100), Batch::new(300, 6), ARENA);
    let in_arena: Vec<_> = description.dispatches.iter().map(|dispatch| dispatch.kernel.contains("/arena")).collect();
    // Labels to scratch; everything; scratch to the value.
    assert_eq!(in_arena, [false, true, false]);
}
