//! Devices that will do, and devices that will not.

use rstest::rstest;
use surprisal::kernel::Variant;
use surprisal::{
    Backend, CrossEntropy, Distillation, Engine, Error, Form, GpuEngine, Inputs, KlDivergence, Options, Pass, Rest,
    RowWeights, Shape, Side, wgpu,
};

use super::{noop, noop_device};
use crate::support::cases::{Batch, padded, representative_cases};
use crate::support::staged::{APART, ARENA, Layout, Staged, bind, plan};

const PASSES: [Pass; 3] = [Pass::Forward, Pass::ForwardBackward, Pass::Backward];

fn engine(device: &wgpu::Device, queue: &wgpu::Queue, options: Options) -> Result<GpuEngine, Error> {
    GpuEngine::with_options(device, queue, options)
}

/// Pipelines, bind groups and dispatches of every loss pass wgpu's validation; no driver takes part.
#[rstest]
fn every_loss_binds_and_records_without_a_driver(
    #[values(Variant::Workgroup, Variant::Subgroup)] variant: Variant,
    #[values(APART, ARENA.shift(1))] layout: Layout,
    #[values(0, 1)] kind: usize,
) {
    let engine = noop(variant);
    let quads = representative_cases(Batch::new(5, 8), kind);
    let odd: Vec<_> = representative_cases(Batch::new(5, 6), kind).iter().map(padded).collect();
    for (case, pass) in quads.iter().chain(&odd).flat_map(|case| PASSES.map(|pass| (case, pass))) {
        let plan = plan(&engine, case, pass);
        let saved = vec![0; plan.row_state_len()];
        let layouts = if pass == Pass::Forward { vec![layout] } else { vec![layout, layout.in_place()] };
        for layout in layouts {
            let staged = Staged::new(&engine, case, pass, layout, &saved);
            let bound = bind(&plan, &staged);
            let scope = engine.device().push_error_scope(wgpu::ErrorFilter::Validation);
            staged.submit(|encoder| bound.record(encoder));
            let error = pollster::block_on(scope.pop());
            assert!(error.is_none(), "{pass:?} of {} in {layout:?}: {error:?}", case.name);
        }
    }
}

/// The harness itself is sound: what no dispatch has written is still poison.
#[test]
#[should_panic(expected = "byte 48 of buffer")]
fn a_result_that_nobody_wrote_is_found() {
    let (engine, case) = (noop(Variant::Workgroup), &representative_cases(Batch::new(5, 8), 0)[2]);
    let staged = Staged::new(&engine, case, Pass::Forward, APART, &[]);
    staged.read();
}

#[rstest]
#[case(
    |limits: &mut wgpu::Limits| limits.max_compute_invocations_per_workgroup = 128,
    "the device lacks max_compute_invocations_per_workgroup of 256 (it grants 128)"
)]
#[case(
    |limits: &mut wgpu::Limits| limits.max_compute_workgroup_size_x = 64,
    "the device lacks max_compute_workgroup_size_x of 256 (it grants 64)"
)]
#[case(
    |limits: &mut wgpu::Limits| limits.max_storage_buffers_per_shader_stage = 4,
    "the device lacks max_storage_buffers_per_shader_stage of 8 (it grants 4)"
)]
fn a_device_below_webgpus_defaults_is_refused(#[case] change: fn(&mut wgpu::Limits), #[case] message: &str) {
    let (device, queue) = noop_device(wgpu::Features::empty(), change);
    let error = engine(&device, &queue, Options::default()).expect_err(message);
    assert!(matches!(error, Error::Device { .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("{message}; request the features and limits that GpuEngine::wanted names"));
}

/// A sum of losses with row weights or side outputs; a backward pass has buffers to spare but beside a top-k teacher.
#[rstest]
#[case(weighed(), kl(), Pass::Forward, 9)]
#[case(weighed(), kl(), Pass::ForwardBackward, 9)]
#[case(weighed(), kl(), Pass::Backward, 8)]
#[case(weighed(), kl().top_k(3, Rest::Spread), Pass::Forward, 10)]
#[case(weighed(), kl().top_k(3, Rest::Spread), Pass::Backward, 9)]
#[case(CrossEntropy::new().side(Side::new().lse()), kl(), Pass::ForwardBackward, 9)]
#[case(CrossEntropy::new().side(Side::new().lse()), kl().top_k(3, Rest::Spread), Pass::Backward, 8)]
fn a_kernel_of_more_buffers_than_a_device_binds_is_refused_with_numbers(
    #[case] hard: CrossEntropy,
    #[case] soft: KlDivergence,
    #[case] pass: Pass,
    #[case] wanted: u32,
) {
    let loss = Distillation::new(hard, soft);
    let plan_on = |most: u32| {
        let change = |limits: &mut wgpu::Limits| limits.max_storage_buffers_per_shader_stage = most;
        let (device, queue) = noop_device(wgpu::Features::empty(), change);
        let engine = engine(&device, &queue, Options::default()).expect("eight suffice for an engine");
        engine.plan(&loss, pass, Shape::new(4, 6)).and_then(|plan| plan.warm()).map_err(|error| error.to_string())
    };
    assert_eq!(plan_on(wanted), Ok(()));
    if wanted > 8 {
        let message = format!("the device lacks max_storage_buffers_per_shader_stage of {wanted} (it grants 8)");
        let how = "; request the features and limits that GpuEngine::wanted names";
        assert_eq!(plan_on(8), Err(message + how));
    }
}

fn weighed() -> CrossEntropy {
    CrossEntropy::new().row_weights(RowWeights::Mask)
}

fn kl() -> KlDivergence {
    KlDivergence::from_logits(Form::Probs)
}

#[test]
fn subgroup_kernels_cannot_be_forced_on_a_device_without_subgroups() {
    let (device, queue) = noop_device(wgpu::Features::empty(), |_| {});
    let error = engine(&device, &queue, Options::default().variant(Variant::Subgroup)).expect_err("no subgroups");
    assert!(matches!(error, Error::Variant { .. }), "{error:?}");
    let message = "the device cannot run the forced variant: it needs wgpu::Features::SUBGROUP, with subgroups no larger than a workgroup";
    assert_eq!(error.to_string(), message);
}

#[rstest]
#[case(wgpu::Features::empty(), "workgroup")]
#[case(wgpu::Features::SUBGROUP, "subgroup")]
fn subgroups_are_used_where_they_are(#[case] features: wgpu::Features, #[case] expected: &str) {
    let (device, queue) = noop_device(features, |_| {});
    let backend = Engine::from_device(&device, &queue).expect("default limits suffice").backend();
    assert!(matches!(&backend, Backend::Gpu { variant, .. } if variant == expected), "{backend}");
}

#[test]
fn an_adapter_that_is_not_there_is_named_with_those_that_are() {
    let options = Options::default().adapter("surprisal's own adapter");
    let error = pollster::block_on(Engine::request(options)).expect_err("there is no such adapter");
    assert!(matches!(error, Error::NoAdapter { .. }), "{error:?}");
    let message = error.to_string();
    assert!(message.starts_with("no GPU adapter fits: asked for \"surprisal's own adapter\", found ["), "{message}");
}

/// An app's executor may have several threads.
#[test]
fn a_request_may_move_between_threads() {
    fn assert_send<T: Send>(value: T) -> T {
        value
    }
    let engine = pollster::block_on(assert_send(Engine::request(Options::default().adapter("cpu"))));
    assert_eq!(engine.map(|engine| engine.backend()), Ok(Backend::Cpu));
}

#[test]
fn the_cpu_engine_can_be_asked_for_in_words() {
    let engine =
        pollster::block_on(Engine::request(Options::default().adapter(" cpu "))).expect("there is always a CPU");
    assert_eq!(engine.backend(), Backend::Cpu);
    assert!(engine.gpu().is_none());
}

/// A row of a million classes is 4 MB.
#[test]
fn a_row_larger_than_a_buffer_is_refused_with_numbers() {
    let (device, queue) = noop_device(wgpu::Features::empty(), |limits| {
        limits.max_buffer_size = 1 << 20;
        limits.max_storage_buffer_binding_size = 1 << 20;
    });
    let engine = Engine::from(engine(&device, &queue, Options::default()).expect("default limits otherwise"));
    let logits = vec![0.0; 2_000_000];
    let inputs = Inputs::new(&logits).targets(&[0, 0]);
    let error =
        engine.evaluate(CrossEntropy::new(), Pass::Forward, Shape::new(2, 1_000_000), inputs).expect_err("4 MB");
    assert!(matches!(error, Error::TooLarge { limit: 1_048_576, .. }), "{error:?}");
    let message = error.to_string();
    assert!(message.starts_with("expected bytes of one buffer to be at most 1048576, found "), "{message}");
}
