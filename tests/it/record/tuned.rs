//! Timed choices: what was found is what is planned, and whatever the choice, the numbers are the oracle's.

use std::sync::OnceLock;

use rstest::rstest;
use surprisal::kernel::Variant;
use surprisal::{
    CrossEntropy, Distillation, Engine, Error, Form, GpuEngine, JensenShannon, KlDivergence, Loss, Options, Pass, Rest,
    RowWeights, Shape, Side,
};

use crate::losses::check_gpu;
use crate::support::case::Case;
use crate::support::cases::{Batch, random_case, with_random_dloss};
use crate::support::device::default_gpus;
use crate::support::staged::{APART, Staged, plan};

const FUSED: Pass = Pass::ForwardBackward;

/// An engine on the same device, with its own memory of what was found.
fn another(engine: &GpuEngine, options: Options) -> GpuEngine {
    GpuEngine::with_options(engine.device(), engine.queue(), options).expect("as before")
}

/// One that chooses freely and has found nothing yet; all of them share pipelines.
fn untuned() -> Option<GpuEngine> {
    static FREE: OnceLock<Option<GpuEngine>> = OnceLock::new();
    let open = || default_gpus().next().map(|engine| another(engine, Options::default()));
    FREE.get_or_init(open).as_ref().map(|engine| engine.limited(|_| {}))
}

fn random(loss: impl Into<Loss>, batch: Batch) -> Case {
    with_random_dloss(&random_case(loss.into(), batch))
}

/// The row's dispatch as it is planned: its kernel, the lanes of a workgroup and of a row.
fn row_dispatch(engine: &GpuEngine, case: &Case) -> (String, u32, u32) {
    let staged = Staged::new(engine, case, FUSED, APART, &[]);
    let description = plan(engine, case, FUSED).describe(&staged.buffers()).expect("slices as before");
    let dispatch = description.dispatches.into_iter().max_by_key(|dispatch| dispatch.bytes_written);
    dispatch.map(|it| (it.kernel, it.workgroup_size, it.lanes)).expect("a dispatch")
}

#[test]
fn what_was_found_is_planned_for_every_number_of_rows_and_nothing_else() {
    let case = random(CrossEntropy::new().ignore_index(0), Batch::new(64, 301));
    let (longer, other) =
        (random(case.loss.clone(), Batch::new(99, 301)), random(case.loss.clone(), Batch::new(64, 302)));
    if let Some((engine, untuned)) = untuned().zip(untuned()) {
        let tuning = engine.tune(&case.loss, FUSED, case.shape).expect("it can be timed");
        assert!(tuning.time <= tuning.time_before, "{tuning}");
        for case in [&case, &longer] {
            let (kernel, workgroup_size, lanes) = row_dispatch(&engine, case);
            assert_eq!((workgroup_size, lanes), (tuning.workgroup_size, tuning.lanes), "{tuning}");
            let variant = format!("/{:?}/", tuning.variant).to_lowercase();
            assert!(kernel.contains(&variant), "{kernel}: {tuning}");
            check_gpu(&engine, case);
        }
        assert_eq!(row_dispatch(&engine, &other), row_dispatch(&untuned, &other));
    }
}

/// Each has something else take part in the call: weights, side outputs, a teacher, a saved state.
fn kinds_of_call() -> [Loss; 3] {
    let side = Side::new().entropy().argmax();
    let hinton = KlDivergence::from_logits(Form::Logits).temperature(2.0);
    [
        CrossEntropy::new().class_weights([1.0; 5]).row_weights(RowWeights::Count).side(side).into(),
        Distillation::new(CrossEntropy::new(), hinton).into(),
        KlDivergence::from_logits(Form::Probs).top_k(2, Rest::Spread).into(),
    ]
}

fn assert_can_be_timed(loss: Loss, pass: Pass) {
    if let Some(engine) = untuned() {
        let case = random(loss, Batch::new(7, 5));
        engine.tune(&case.loss, pass, case.shape).unwrap_or_else(|error| panic!("{}: {error}", case.name));
        check_gpu(&engine, &case);
    }
}

/// Each pass, and each kind of call.
#[test]
fn a_call_can_be_timed_in_any_pass() {
    let passes = [Pass::Backward, FUSED, Pass::Forward];
    kinds_of_call().into_iter().zip(passes).for_each(|(loss, pass)| assert_can_be_timed(loss, pass));
}

#[test]
fn what_was_forced_is_no_choice() {
    let shape = Shape::new(64, 301);
    for engine in default_gpus().take(1) {
        let options = Options::default().variant(Variant::Workgroup).workgroup_size(64).lanes(2);
        let tuning = another(engine, options).tune(CrossEntropy::new(), FUSED, shape).expect("it can be timed");
        assert_eq!((tuning.variant, tuning.workgroup_size, tuning.lanes), (Variant::Workgroup, 64, 2));
        assert_eq!(tuning.time, tuning.time_before);
    }
}

/// Rows of fewer tiles than lanes, and of far more.
#[rstest]
#[case(Options::default().lanes(4))]
#[case(Options::default().workgroup_size(128).lanes(1))]
#[case(Options::default().workgroup_size(128).lanes(128))]
fn any_number_of_lanes_matches_the_oracle(#[case] options: Options) {
    let losses: [Loss; 3] = [
        CrossEntropy::new().label_smoothing(0.125).side(Side::new().lse().entropy()).into(),
        JensenShannon::from_logits(Form::Logits).into(),
        Loss::LogSoftmax,
    ];
    for engine in default_gpus().take(1) {
        let engine = another(engine, options.clone());
        for (loss, n_classes) in losses.iter().flat_map(|loss| [66, 1031].map(|n_classes| (loss, n_classes))) {
            check_gpu(&engine, &random(loss.clone(), Batch::new(9, n_classes)));
        }
    }
}

#[rstest]
#[case(3)]
#[case(0)]
#[case(128)]
fn lanes_that_make_no_row_are_refused(#[case] lanes: u32) {
    let options = Options::default().variant(Variant::Workgroup).workgroup_size(64).lanes(lanes);
    for engine in default_gpus().take(1) {
        let error =
            GpuEngine::with_options(engine.device(), engine.queue(), options.clone()).expect_err("no such lanes");
        let message = "the device cannot run the forced variant: it needs lanes that are a power of two, at most a workgroup of them";
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn the_cpu_has_no_choice_and_says_what_has_no_meaning() {
    assert_eq!(Engine::cpu().tune(CrossEntropy::new(), FUSED, Shape::new(4, 5)), Ok(None));
    let error = Engine::cpu().tune(CrossEntropy::new(), FUSED, Shape::new(4, 0)).expect_err("no classes");
    assert_eq!(error, Error::NoClasses);
}

mod full {
    use super::*;

    #[rstest]
    fn every_kind_of_call_can_be_timed(#[values(Pass::Forward, FUSED, Pass::Backward)] pass: Pass) {
        kinds_of_call().into_iter().for_each(|loss| assert_can_be_timed(loss, pass));
    }
}
