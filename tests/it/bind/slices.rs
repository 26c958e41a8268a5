//! Slices that do not fit the plan.

use std::sync::OnceLock;

use rstest::rstest;
use surprisal::kernel::Variant;
use surprisal::{
    BinaryCrossEntropy, Broadcast, Buffers, CrossEntropy, Distillation, Entropy, Error, Form, GpuEngine, KlDivergence,
    LabelStorage, Loss, Pass, Reduction, Rest, Shape, Side, Storage, wgpu,
};

use super::{noop, noop_pair};
use Pass::{Backward, Forward, ForwardBackward};

/// Two rows of three classes: 24 bytes of logits, or 28 with a stride of 4.
const SHAPE: Shape = Shape::new(2, 3);

fn buffer(engine: &GpuEngine, usage: wgpu::BufferUsages) -> wgpu::Buffer {
    let descriptor = wgpu::BufferDescriptor { label: None, size: 1024, usage, mapped_at_creation: false };
    engine.device().create_buffer(&descriptor)
}

/// An engine and a buffer that every test here may slice.
fn stage() -> &'static (GpuEngine, wgpu::Buffer) {
    static STAGE: OnceLock<(GpuEngine, wgpu::Buffer)> = OnceLock::new();
    STAGE.get_or_init(|| {
        let engine = noop(Variant::Workgroup);
        let buffer = buffer(&engine, wgpu::BufferUsages::STORAGE);
        (engine, buffer)
    })
}

fn bytes(range: std::ops::Range<u64>) -> wgpu::BufferSlice<'static> {
    stage().1.slice(range)
}

/// The slice that tensor number so and so has if nothing is said.
fn at(number: u64) -> wgpu::BufferSlice<'static> {
    bytes(number * 64..(number + 1) * 64)
}

fn logits() -> Buffers<'static> {
    Buffers::new(at(0))
}

/// What a forward pass of a loss with targets needs.
fn forward() -> Buffers<'static> {
    logits().targets(at(1)).values(at(2))
}

fn fused() -> Buffers<'static> {
    forward().dlogits(at(3))
}

fn backward() -> Buffers<'static> {
    logits().targets(at(1)).dlogits(at(3)).row_state(at(4))
}

#[track_caller]
fn refused(loss: impl Into<Loss>, pass: Pass, given: Buffers<'_>) -> Error {
    let plan = stage().0.plan(loss, pass, SHAPE).expect("the problem is sound");
    plan.bind(&given).expect_err("these slices should be refused")
}

fn by_input() -> CrossEntropy {
    CrossEntropy::new().reduction(Reduction::SumDividedByInput)
}

fn teacher() -> KlDivergence {
    KlDivergence::from_logits(Form::Logits).teacher_gradient()
}

/// From a teacher of two classes a row.
fn top_2() -> Distillation {
    Distillation::new(CrossEntropy::new(), KlDivergence::from_logits(Form::Probs).top_k(2, Rest::Spread))
}

#[rstest]
#[case(CrossEntropy::new(), Forward, logits().values(at(2)), "cross_entropy needs targets for Forward")]
#[case(CrossEntropy::new(), Forward, logits().targets(at(1)), "cross_entropy needs values for Forward")]
#[case(CrossEntropy::new(), ForwardBackward, forward(), "cross_entropy needs dlogits for ForwardBackward")]
#[case(CrossEntropy::new(), Backward, logits().targets(at(1)).dlogits(at(3)), "cross_entropy needs row_state for Backward")]
#[case(by_input(), Forward, forward(), "cross_entropy needs divisor for Forward")]
#[case(teacher(), ForwardBackward, fused(), "kl_divergence needs dtargets for ForwardBackward")]
#[case(Loss::Softmax, ForwardBackward, logits().values(at(2)).dlogits(at(3)), "softmax needs dloss for ForwardBackward")]
#[case(top_2(), Forward, forward().target_probs(at(5)), "distillation needs teacher_ids for Forward")]
#[case(top_2(), ForwardBackward, fused().teacher_ids(at(5)), "distillation needs target_probs for ForwardBackward")]
#[case(top_2(), Backward, logits().row_state(at(4)).dlogits(at(3)), "distillation needs targets for Backward")]
fn slices_that_are_needed_are_missed(
    #[case] loss: impl Into<Loss>,
    #[case] pass: Pass,
    #[case] given: Buffers<'static>,
    #[case] message: &str,
) {
    let error = refused(loss, pass, given);
    assert!(matches!(error, Error::Missing { .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("{message}, found none"));
}

#[rstest]
#[case(Entropy::of_logits(), Forward, forward(), "entropy does not use targets in Forward")]
#[case(CrossEntropy::new(), Forward, fused(), "cross_entropy does not use dlogits in Forward")]
#[case(CrossEntropy::new(), Forward, forward().dloss(at(5)), "cross_entropy does not use dloss in Forward")]
#[case(CrossEntropy::new(), Forward, forward().divisor(at(5)), "cross_entropy does not use divisor in Forward")]
#[case(CrossEntropy::new(), Forward, forward().weights(at(5), Broadcast::PerRow), "cross_entropy does not use weights in Forward")]
#[case(CrossEntropy::new(), ForwardBackward, fused().row_state(at(4)), "cross_entropy does not use row_state in ForwardBackward")]
#[case(teacher(), Forward, forward().dtargets(at(6)), "kl_divergence does not use dtargets in Forward")]
#[case(CrossEntropy::new(), Backward, backward().dtargets(at(6)), "cross_entropy does not use dtargets in Backward")]
#[case(CrossEntropy::new(), Backward, backward().values(at(2)), "cross_entropy does not use values in Backward")]
#[case(BinaryCrossEntropy::new(), Backward, backward(), "binary_cross_entropy does not use row_state in Backward")]
#[case(top_2(), Forward, forward().teacher(at(5)), "distillation does not use teacher in Forward")]
#[case(CrossEntropy::new(), Forward, forward().teacher_ids(at(5)), "cross_entropy does not use teacher_ids in Forward")]
#[case(CrossEntropy::new(), Forward, forward().dlogits_in_place(), "cross_entropy does not use dlogits_in_place in Forward")]
#[case(CrossEntropy::new(), ForwardBackward, fused().dlogits_in_place(), "cross_entropy does not use dlogits in ForwardBackward")]
fn slices_that_nothing_would_read_or_write_are_refused(
    #[case] loss: impl Into<Loss>,
    #[case] pass: Pass,
    #[case] given: Buffers<'static>,
    #[case] message: &str,
) {
    let error = refused(loss, pass, given);
    assert!(matches!(error, Error::Unused { .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("{message}, found one"));
}

/// Labels take 8 bytes, a mean's value 4, the state of two rows 16.
#[rstest]
#[case(Buffers::new(bytes(0..20)).targets(at(1)).values(at(2)), "logits slice of at least 24 bytes, found 20")]
#[case(forward().targets(bytes(64..68)), "targets slice of at least 8 bytes, found 4")]
#[case(forward().row_state(bytes(256..268)), "row_state slice of at least 16 bytes, found 12")]
#[case(forward().scratch(bytes(512..1020)), "scratch slice of at least 512 bytes, found 508")]
fn a_slice_too_small_is_refused_with_both_sizes(#[case] given: Buffers<'static>, #[case] message: &str) {
    let error = refused(CrossEntropy::new(), Forward, given);
    assert!(matches!(error, Error::SliceSize { .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("expected a {message}"));
}

#[rstest]
#[case(fused().dlogits(bytes(192..212)), "dlogits slice of at least 24 bytes, found 20")]
#[case(fused().dloss(bytes(320..324)), "dloss slice of at least 8 bytes, found 4")]
#[case(fused().values(bytes(128..132)), "values slice of at least 8 bytes, found 4")]
fn a_slice_too_small_for_row_losses_is_refused(#[case] given: Buffers<'static>, #[case] message: &str) {
    let error = refused(CrossEntropy::new().reduction(Reduction::None), ForwardBackward, given);
    assert_eq!(error.to_string(), format!("expected a {message}"));
}

/// Two rows of two ids and as many numbers take 16 bytes each, and of state 28 bytes a row.
#[rstest]
#[case(forward().teacher_ids(bytes(320..332)).target_probs(at(6)), "teacher_ids slice of at least 16 bytes, found 12")]
#[case(forward().teacher_ids(at(5)).target_probs(bytes(384..396)), "target_probs slice of at least 16 bytes, found 12")]
#[case(
    forward().teacher_ids(at(5)).target_probs(at(6)).row_state(bytes(256..308)),
    "row_state slice of at least 56 bytes, found 52"
)]
fn a_slice_too_small_for_a_teacher_is_refused(#[case] given: Buffers<'static>, #[case] message: &str) {
    assert_eq!(refused(top_2(), Forward, given).to_string(), format!("expected a {message}"));
}

#[test]
fn a_slice_that_starts_within_an_element_is_refused() {
    let error = refused(CrossEntropy::new(), Forward, forward().targets(bytes(66..128)));
    assert_eq!(error, Error::SliceOffset { tensor: "targets", element: 4, offset: 66 });
    assert_eq!(error.to_string(), "expected the targets slice to start at a multiple of 4 bytes, found offset 66");
}

#[test]
fn scratch_starts_where_a_binding_may() {
    let error = refused(CrossEntropy::new(), Forward, forward().scratch(bytes(320..1024)));
    assert_eq!(error.to_string(), "expected the scratch slice to start at a multiple of 256 bytes, found offset 320");
}

/// Two rows of three bf16 take 12 bytes, and their two 64-bit labels 16.
const HALVES: Shape = SHAPE.storage(Storage::Bf16).label_storage(LabelStorage::I64);

/// Logits, labels, the mean and the gradient from these places.
fn halves(logits: wgpu::BufferSlice<'static>, labels: u64, dlogits: u64) -> Buffers<'static> {
    Buffers::new(logits).targets(bytes(labels..labels + 16)).values(at(8)).dlogits(bytes(dlogits..dlogits + 12))
}

#[track_caller]
fn bound_halves(given: Buffers<'_>) -> Result<(), String> {
    let plan = stage().0.plan(CrossEntropy::new(), ForwardBackward, HALVES).expect("the problem is sound");
    plan.bind(&given).map(drop).map_err(|error| error.to_string())
}

/// Slices of 16-bit numbers may start in the middle of a word, and share it with another; a byte they may not share.
#[rstest]
#[case(halves(bytes(2..14), 64, 14), "")]
#[case(halves(bytes(0..12), 64, 194), "")]
#[case(halves(bytes(3..15), 64, 192), "expected the logits slice to start at a multiple of 2 bytes, found offset 3")]
#[case(halves(bytes(0..12), 68, 192), "expected the targets slice to start at a multiple of 8 bytes, found offset 68")]
#[case(halves(bytes(0..10), 64, 192), "expected a logits slice of at least 12 bytes, found 10")]
#[case(halves(bytes(2..14), 64, 12), "dlogits is written but shares bytes with logits; give it a slice of its own")]
#[case(halves(bytes(2..14), 64, 70), "dlogits is written but shares bytes with targets; give it a slice of its own")]
fn slices_of_16_bit_numbers_are_told_apart_to_the_byte(#[case] given: Buffers<'static>, #[case] refusal: &str) {
    assert_eq!(bound_halves(given).err().unwrap_or_default(), refusal);
}

/// 14 bytes are no whole number of words, and the last logits lie in the last half word.
#[test]
fn a_buffer_that_ends_within_a_word_is_refused() {
    let usage = wgpu::BufferUsages::STORAGE;
    let descriptor = wgpu::BufferDescriptor { label: None, size: 14, usage, mapped_at_creation: false };
    let short = stage().0.device().create_buffer(&descriptor);
    let plan = stage().0.plan(CrossEntropy::new(), ForwardBackward, HALVES).expect("the problem is sound");
    let rest = |logits| Buffers::new(logits).targets(at(1)).values(at(2)).dlogits(at(3));
    let error = plan.bind(&rest(short.slice(2..14))).expect_err("half a word");
    assert_eq!(error, Error::PartialWord { tensor: "logits", found: 14 });
    let message = "expected the logits buffer to hold whole words of 4 bytes where the slice ends, found 14 bytes";
    assert_eq!(error.to_string(), message);
    assert!(plan.bind(&rest(short.slice(0..12))).is_ok());
}

#[test]
fn a_buffer_without_usage_storage_is_refused() {
    let (engine, _) = stage();
    let copy = buffer(engine, wgpu::BufferUsages::COPY_DST);
    let plan = engine.plan(CrossEntropy::new(), Forward, SHAPE).expect("the problem is sound");
    let error = plan.bind(&forward().targets(copy.slice(..))).expect_err("no STORAGE");
    assert_eq!(error, Error::SliceUsage { tensor: "targets", found: wgpu::BufferUsages::COPY_DST });
    let message = "expected the targets buffer to have usage STORAGE, found BufferUsages(COPY_DST)";
    assert_eq!(error.to_string(), message);
}

#[rstest]
#[case(fused().dlogits(bytes(20..64)), "dlogits", "logits")]
#[case(fused().values(bytes(68..72)), "values", "targets")]
#[case(fused().dlogits(bytes(108..132)), "values", "dlogits")]
#[case(forward().targets(bytes(0..8)).dlogits_in_place(), "logits", "targets")]
#[case(fused().dlogits(bytes(600..664)).scratch(bytes(512..1024)), "dlogits", "scratch")]
#[case(forward().targets(bytes(600..608)).dlogits(at(3)).scratch(bytes(512..1024)), "scratch", "targets")]
fn a_slice_that_is_written_shares_no_byte(#[case] given: Buffers<'static>, #[case] written: &str, #[case] other: &str) {
    let error = refused(CrossEntropy::new(), ForwardBackward, given);
    assert!(matches!(error, Error::Overlap { .. }), "{error:?}");
    let message = format!("{written} is written but shares bytes with {other}; give it a slice of its own");
    assert_eq!(error.to_string(), message);
}

#[rstest]
#[case(CrossEntropy::new().side(Side::new().lse()), Forward, forward().side(bytes(20..64)), "side")]
#[case(CrossEntropy::new(), Forward, forward().row_state(bytes(20..64)), "row_state")]
#[case(CrossEntropy::new(), Forward, forward().errors(bytes(20..24)), "errors")]
#[case(teacher(), ForwardBackward, fused().dtargets(bytes(20..64)), "dtargets")]
fn whatever_else_is_written_shares_no_byte_with_the_logits(
    #[case] loss: impl Into<Loss>,
    #[case] pass: Pass,
    #[case] given: Buffers<'static>,
    #[case] written: &str,
) {
    let error = refused(loss, pass, given);
    let message = format!("{written} is written but shares bytes with logits; give it a slice of its own");
    assert_eq!(error.to_string(), message);
}

/// Only the bytes that a tensor takes count, not those that its slice has beside; tensors that are read may overlap.
#[test]
fn neighbours_and_shared_inputs_are_fine() {
    let (engine, buffer) = stage();
    let plan = engine.plan(KlDivergence::from_logits(Form::Logits), ForwardBackward, SHAPE).expect("sound");
    let touching = Buffers::new(buffer.slice(..)).targets(buffer.slice(0..24)).dlogits(buffer.slice(24..48));
    assert!(plan.bind(&touching.values(buffer.slice(48..))).is_ok());
    assert!(plan.bind(&fused().targets(at(0))).is_ok());
}

#[test]
fn a_buffer_of_another_device_is_an_error_and_no_panic() {
    let [engine, other] = noop_pair();
    let [own, foreign] = [&engine, &other].map(|engine| buffer(engine, wgpu::BufferUsages::STORAGE));
    let plan = engine.plan(CrossEntropy::new(), Forward, SHAPE).expect("the problem is sound");
    let buffers = Buffers::new(own.slice(0..64)).targets(foreign.slice(..)).values(own.slice(64..));
    let error = plan.bind(&buffers).expect_err("a foreign buffer");
    assert!(matches!(error, Error::Wgpu { what: "a bind group", .. }), "{error:?}");
    assert!(error.to_string().starts_with("wgpu refused a bind group: "), "{error}");
}
