//! Rows and slabs larger than a binding: the windows of their classes add up to the oracle's numbers, wherever slices
//! lie.

use surprisal::{
    BinaryCrossEntropy, Corners, CrossEntropy, Distillation, Entropy, Error, Form, GpuEngine, JensenShannon,
    KlDivergence, Loss, NegativeLogLikelihood, Pass, Policy, Reduction, Rest, ReverseKlDivergence, RowWeights, Shape,
    Side, SoftCrossEntropy, SoftPart, SoftmaxFocal, Storage, TotalVariation,
};

use crate::losses::check_gpu;
use crate::storage::full::layouts::{self, LAYOUTS};
use crate::support::case::Case;
use crate::support::cases::{Batch, padded, random_case, with_random_dloss};
use crate::support::device::{default_gpus, limited, with_limits};
use crate::support::losses::unlabelled;
use crate::support::planes::in_planes;
use crate::support::spec::with_reduction;
use crate::support::staged::{APART, Bits, Staged, plan, run, run_with_scratch, saved_state};

const CLASS_WEIGHTS: [f32; 6] = [0.5, 2.0, 0.0, 1.25, -0.75, 1.5];
/// Rows of a slab: a binding of 4 KiB holds 30 of their classes, and windows are of 28.
const INNER: usize = 33;

/// Bindings of 4 KiB, which hold 1020 classes of one row, or 1008 where offsets are multiples of 64 bytes.
fn narrow() -> Vec<GpuEngine> {
    limited(|limits| limits.max_storage_buffer_binding_size = 1 << 12)
}

/// Cross-entropy with all that its sums carry.
fn mapped() -> CrossEntropy {
    let side = Side::new().lse().entropy().log_prob().prob().argmax().top_1().top_k(3);
    CrossEntropy::new().softcap(3.5).temperature(1.5).z_loss(0.125).poly1(0.5).side(side)
}

fn smoothed() -> CrossEntropy {
    CrossEntropy::new().ignore_index(-100).class_weights(CLASS_WEIGHTS).label_smoothing(0.125)
}

/// With one value per element.
fn each(kl: KlDivergence) -> Loss {
    kl.per_element().reduction(Reduction::None).into()
}

/// Each family, with what its sums carry.
fn losses() -> Vec<Loss> {
    vec![
        CrossEntropy::new().into(),
        smoothed().into(),
        mapped().class_weights(CLASS_WEIGHTS).row_weights(RowWeights::Count).into(),
        SoftmaxFocal::new(2.0).alpha(CLASS_WEIGHTS).ignore_index(-100).into(),
        NegativeLogLikelihood::new().ignore_index(-100).class_weights(CLASS_WEIGHTS).into(),
        Entropy::of_logits().into(),
        SoftCrossEntropy::new().class_weights(CLASS_WEIGHTS).label_smoothing(0.125).into(),
        KlDivergence::from_logits(Form::Logits).temperature(3.0).teacher_gradient().into(),
        KlDivergence::from_log_probs(Form::Probs).row_weights(RowWeights::Mask).into(),
        each(KlDivergence::from_logits(Form::Logits).temperature(3.0).scaled_by_t_squared()),
        each(KlDivergence::from_logits(Form::Probs)),
        each(KlDivergence::from_log_probs(Form::LogProbs)),
        each(KlDivergence::from_log_probs(Form::Logits)),
        ReverseKlDivergence::from_logits(Form::LogProbs).into(),
        JensenShannon::from_logits(Form::Probs).beta(0.125).into(),
        TotalVariation::from_log_probs(Form::Logits).row_weights(RowWeights::Mask).into(),
        BinaryCrossEntropy::new().pos_weight(CLASS_WEIGHTS).into(),
        Entropy::of_probs().reduction(Reduction::None).into(),
        Loss::LogSoftmax,
        Loss::Softmax,
        distillation(KlDivergence::from_logits(Form::Logits).temperature(3.0)),
        distillation(JensenShannon::from_logits(Form::Probs)),
        KlDivergence::from_logits(Form::Probs).top_k(3, Rest::Spread).into(),
        KlDivergence::from_logits(Form::LogProbs).top_k(3, Rest::Dropped).row_weights(RowWeights::Mask).into(),
        ReverseKlDivergence::from_logits(Form::Probs).top_k(3, Rest::Spread).into(),
        TotalVariation::from_logits(Form::Probs).top_k(3, Rest::Renormalised).into(),
        distillation(KlDivergence::from_logits(Form::LogProbs).temperature(3.0).top_k(3, Rest::Spread)),
        distillation(ReverseKlDivergence::from_logits(Form::Probs).top_k(3, Rest::Spread)),
        distillation(JensenShannon::from_logits(Form::Probs).top_k(3, Rest::Renormalised)),
        SoftCrossEntropy::new().softcap(3.5).z_loss(0.125).side(unlabelled()).row_weights(RowWeights::Count).into(),
        KlDivergence::from_logits(Form::Logits).softcap(3.5).z_loss(0.125).teacher_gradient().side(unlabelled()).into(),
        JensenShannon::from_logits(Form::Probs).z_loss(0.125).top_k(3, Rest::Dropped).side(unlabelled()).into(),
        weighed(KlDivergence::from_logits(Form::Logits)),
        weighed(JensenShannon::from_logits(Form::Probs).top_k(3, Rest::Renormalised)),
    ]
}

fn weighed(soft: impl Into<SoftPart>) -> Loss {
    let hard = smoothed().row_weights(RowWeights::Count).side(unlabelled().log_prob().top_1());
    Distillation::new(hard, soft).weights(0.75, 0.5).into()
}

fn distillation(soft: impl Into<SoftPart>) -> Loss {
    Distillation::new(smoothed().z_loss(0.125), soft).weights(0.75, 0.5).into()
}

fn top_k() -> Loss {
    KlDivergence::from_logits(Form::Probs).top_k(3, Rest::Renormalised).into()
}

/// By row where `i` is odd or the loss says so itself, if it has a reduction.
fn random(i: usize, loss: &Loss, batch: Batch) -> Case {
    let by_row = !i.is_multiple_of(2) || loss.reduction() == Some(Reduction::None);
    let reduction = if by_row { Reduction::None } else { Reduction::Mean };
    let loss = loss.reduction().map_or_else(|| loss.clone(), |_| with_reduction(loss, reduction));
    with_random_dloss(&random_case(loss, batch.deviation(3.0)))
}

/// More classes than llvmpipe's lanes may go through: where more of them share a row, in all three reads of a fused
/// Jensen-Shannon divergence, and where there are none left to.
#[test]
fn rows_longer_than_a_software_adapters_loops_match_the_oracle() {
    let most = 32 * 4 * 12288;
    let losses: [(Loss, usize); 4] = [
        (CrossEntropy::new().into(), 600_001),
        (JensenShannon::from_logits(Form::Logits).into(), most),
        (CrossEntropy::new().into(), most + 1),
        (each(KlDivergence::from_logits(Form::Logits)), most + 1),
    ];
    for engine in default_gpus().take(1) {
        for (loss, n_classes) in &losses {
            check_gpu(engine, &random(0, loss, Batch::new(1, *n_classes)));
        }
    }
}

/// What windows keep of a slab lies in one buffer then, which dispatches read and write.
#[test]
fn scratch_of_the_callers_changes_no_bit_of_windows() {
    let losses: [Loss; 5] = [
        smoothed().into(),
        Loss::Softmax,
        distillation(JensenShannon::from_logits(Form::Probs)),
        distillation(KlDivergence::from_logits(Form::Probs).top_k(3, Rest::Spread)),
        each(KlDivergence::from_logits(Form::Probs)),
    ];
    for engine in narrow().iter().take(1) {
        for (i, loss) in losses.iter().enumerate() {
            let case = in_planes(&with_random_dloss(&random(i, loss, Batch::new(2 * INNER, 61))), INNER, [2, 1, 3]);
            for pass in [Pass::Forward, Pass::ForwardBackward, Pass::Backward] {
                let saved = saved_state(engine, &case, pass);
                let expected = run(engine, &case, pass, APART, &saved);
                assert_eq!(run_with_scratch(engine, &case, pass, &saved), expected, "{pass:?} of {}", case.name);
            }
        }
    }
}

/// A row's class weights are read at its label, wherever that is.
#[test]
fn class_weights_that_exceed_a_binding_are_refused() {
    for engine in narrow().iter().take(1) {
        let case = random_case(CrossEntropy::new().class_weights(CLASS_WEIGHTS).into(), Batch::new(2, 1100));
        let staged = Staged::new(engine, &case, Pass::Forward, APART, &[]);
        let bound = plan(engine, &case, Pass::Forward).bind(&staged.buffers());
        assert!(matches!(bound, Err(Error::RowTooLarge { tensor: "classes", found: 4400, .. })), "{bound:?}");
    }
}

/// What the plan itself keeps of them exceeds a buffer: an error, not a panic.
#[test]
fn class_weights_that_exceed_a_buffer_are_refused() {
    for engine in with_limits(|limits| limits.max_buffer_size = 1 << 12) {
        let plan = |n| {
            let loss = CrossEntropy::new().class_weights(vec![1.0; n]);
            engine.plan(loss, Pass::Forward, Shape::new(2, n)).map(|_| ())
        };
        assert_eq!(plan(100), Ok(()));
        assert!(matches!(plan(1100), Err(Error::TooLarge { limit: 4096, .. })), "{:?}", plan(1100));
    }
}

/// One class fewer is not cut: the same numbers meet in another order, and the results are as close to the oracle's.
#[test]
fn slabs_that_just_fit_and_just_do_not_match_the_oracle() {
    for engine in narrow().iter().take(1) {
        for n_classes in [30, 31] {
            check_gpu(engine, &in_planes(&random(1, &smoothed().into(), Batch::new(INNER, n_classes)), INNER, [0; 3]));
        }
    }
}

/// Rows of 57 classes, of which each has something at its edge in one window or another.
fn at_the_edge() -> Vec<f32> {
    let (n_classes, inf, masked) = (57, f32::INFINITY, f32::NEG_INFINITY);
    let mut rows: Vec<Vec<f32>> = random_case(Loss::LogSoftmax, Batch::new(INNER, n_classes).deviation(3.0))
        .logits
        .chunks(n_classes)
        .map(<[f32]>::to_vec)
        .collect();
    // Masked: each window, all but one, and all of them.
    for (row, (first, last)) in [(0, 28), (28, 56), (56, 57), (0, 56), (28, 57), (0, 57)].into_iter().enumerate() {
        rows[row][first..last].fill(masked);
    }
    for (row, (class, logit)) in [(3, f32::NAN), (40, f32::NAN), (56, inf), (0, inf)].into_iter().enumerate() {
        rows[6 + row][class] = logit;
    }
    // Two classes, and classes of two windows, that attain the maximum.
    for (row, classes) in [[5, 6], [5, 40], [27, 28], [55, 56]].into_iter().enumerate() {
        classes.into_iter().for_each(|class| rows[10 + row][class] = 50.0);
    }
    rows.concat()
}

#[test]
fn corners_in_any_window_match_the_oracle() {
    let labels: Vec<i32> = (0..INNER).map(|row| [0, 27, 28, 40, 55, 56, -100][row % 7]).collect();
    for engine in narrow().iter().take(1) {
        for (loss, corners) in [(smoothed(), Corners::PyTorch), (mapped().ignore_index(-100), Corners::Exact)] {
            let rows = random_case(loss.reduction(Reduction::None).into(), Batch::new(INNER, 57));
            let rows = Case { logits: at_the_edge(), labels: Some(labels.clone()), ..rows };
            check_gpu(engine, &in_planes(&rows.policy(Policy::new().corners(corners)), INNER, [0; 3]));
        }
        let named = distillation(KlDivergence::from_logits(Form::LogProbs).top_k(3, Rest::Dropped));
        for loss in [distillation(KlDivergence::from_logits(Form::LogProbs)), top_k(), named] {
            for corners in [Corners::PyTorch, Corners::Exact] {
                let rows = random_case(with_reduction(&loss, Reduction::None), Batch::new(INNER, 57));
                let rows = Case { logits: at_the_edge(), ..rows };
                check_gpu(engine, &in_planes(&rows.policy(Policy::new().corners(corners)), INNER, [0; 3]));
            }
        }
        for loss in [Loss::LogSoftmax, Loss::Softmax] {
            let rows = with_random_dloss(&random_case(loss, Batch::new(INNER, 57)));
            check_gpu(engine, &in_planes(&Case { logits: at_the_edge(), ..rows }, INNER, [0; 3]));
        }
        for corners in [Corners::PyTorch, Corners::Exact] {
            let loss = each(KlDivergence::from_logits(Form::LogProbs));
            let rows = with_random_dloss(&random_case(loss, Batch::new(INNER, 57)));
            let rows = Case { logits: at_the_edge(), ..rows };
            check_gpu(engine, &in_planes(&rows.policy(Policy::new().corners(corners)), INNER, [0; 3]));
        }
        let rows = random_case(Entropy::of_probs().reduction(Reduction::None).into(), Batch::new(INNER, 57));
        check_gpu(engine, &in_planes(&Case { logits: probs_at_the_edge(), ..rows }, INNER, [0; 3]));
    }
}

/// The same as probabilities, 0 in place of masks; in three rows one window or another has one that is negative.
fn probs_at_the_edge() -> Vec<f32> {
    let mut probs: Vec<f32> =
        at_the_edge().into_iter().map(|x| if x == f32::NEG_INFINITY { 0.0 } else { x.abs() }).collect();
    for (row, class) in [3, 40, 56].into_iter().enumerate() {
        probs[(14 + row) * 57 + class] = -0.25;
    }
    probs
}

#[test]
fn a_label_out_of_range_poisons_its_row_of_a_slab_in_windows_of_classes() {
    let loss = with_reduction(&CrossEntropy::new().into(), Reduction::None);
    let batch = Batch::new(INNER, 57);
    let results = |engine: &GpuEngine, label, pass| {
        let mut rows = random_case(loss.clone(), batch);
        rows.labels.as_mut().expect("a loss with labels")[2] = label;
        let case = in_planes(&rows, INNER, [0; 3]);
        let saved = saved_state(engine, &case, pass);
        run(engine, &case, pass, APART, &saved)
    };
    for engine in narrow().iter().take(1) {
        for pass in [Pass::ForwardBackward, Pass::Backward] {
            let sound = results(engine, 40, pass);
            for label in [57, -1, i32::MIN] {
                let found = results(engine, label, pass);
                let poisoned = |found: &[u32], sound: &[u32]| {
                    for (i, (found, sound)) in found.iter().zip(sound).enumerate() {
                        let same = if i % INNER == 2 { f32::from_bits(*found).is_nan() } else { found == sound };
                        assert!(same, "{pass:?}, label {label}: {i} is {found:x}, was {sound:x}");
                    }
                };
                let (Bits { values, dlogits, .. }, sound) = (found, &sound);
                poisoned(&values, &sound.values);
                poisoned(&dlogits, &sound.dlogits);
            }
        }
    }
}

/// 17 classes of 2^21 pixels in f32 are 136 MiB; a binding holds 128 by WebGPU's default. Every pixel has the same
/// logits.
#[test]
fn an_image_larger_than_the_default_binding_has_its_loss_and_gradient() {
    const C: usize = 17;
    let inner = 1 << 21;
    let x: Vec<f32> = (0..C).map(|c| (c * 7 % C) as f32 / 4.0).collect();
    let d: f64 = x.iter().map(|&x| f64::from(x).exp()).sum();
    let p: Vec<f64> = x.iter().map(|&x| f64::from(x).exp() / d).collect();
    let logits: Vec<f32> = x.iter().flat_map(|&x| std::iter::repeat_n(x, inner)).collect();
    let labels: Vec<i32> = (0..inner).map(|row| (row % C) as i32).collect();
    let engines = with_limits(|limits| limits.max_storage_buffer_binding_size = 128 << 20);
    for engine in engines.iter().take(1) {
        let inputs = surprisal::Inputs::new(&logits).targets(&labels);
        let (loss, shape) = (CrossEntropy::new().reduction(Reduction::Sum), Shape::planes(1, C, inner));
        let pending = engine.begin(loss, Pass::ForwardBackward, shape, inputs).expect("it is cut");
        let output = pending.wait().expect("the device answers");
        let expected: f64 = labels.iter().map(|&t| -p[t as usize].ln()).sum();
        assert!((f64::from(output.values[0]) - expected).abs() < 1e-5 * expected, "{} {expected}", output.values[0]);
        for (c, plane) in output.dlogits.expect("a gradient").chunks(inner).enumerate() {
            let [elsewhere, at_target] = [p[c], p[c] - 1.0];
            for (row, &dx) in plane.iter().enumerate() {
                let expected = if row % C == c { at_target } else { elsewhere };
                assert!((f64::from(dx) - expected).abs() < 1e-6, "class {c}, row {row}: {dx}, expected {expected}");
            }
        }
    }
}

/// The whole table, where `cover` takes a pair of everything.
mod full {
    use super::*;

    /// A class or so more than a window, and three windows of which the last is odd.
    #[test]
    fn rows_in_windows_of_classes_match_the_oracle() {
        let losses: [Loss; 12] = [
            Loss::LogSoftmax,
            Loss::Softmax,
            CrossEntropy::new().label_smoothing(0.125).into(),
            mapped().row_weights(RowWeights::Mask).into(),
            NegativeLogLikelihood::new().into(),
            Entropy::of_logits().into(),
            KlDivergence::from_logits(Form::Logits).teacher_gradient().into(),
            Distillation::new(CrossEntropy::new(), ReverseKlDivergence::from_logits(Form::LogProbs)).into(),
            KlDivergence::from_logits(Form::Probs).top_k(64, Rest::Spread).into(),
            Entropy::of_probs().reduction(Reduction::None).into(),
            each(KlDivergence::from_logits(Form::LogProbs)),
            Distillation::new(CrossEntropy::new(), KlDivergence::from_logits(Form::Probs).top_k(64, Rest::Dropped))
                .into(),
        ];
        for engine in narrow().iter().skip(1) {
            for (i, loss) in losses.iter().enumerate() {
                check_gpu(engine, &padded(&random(i, loss, Batch::new(3, [1021, 2043][i % 2]))));
            }
        }
    }

    /// Two windows, the second of three classes, and three, the last of one; padded slabs.
    #[test]
    fn slabs_in_windows_of_classes_match_the_oracle() {
        for engine in narrow().iter().take(1) {
            for (i, loss) in losses().iter().enumerate() {
                let n_classes = [31, 57][i / 2 % 2];
                check_gpu(engine, &in_planes(&random(i, loss, Batch::new(2 * INNER, n_classes)), INNER, [2, 1, 3]));
            }
        }
    }

    /// In f32 and in 16 bits, of which windows of an odd number of rows start within a word; with the gradient in place.
    #[test]
    fn neither_storage_nor_place_changes_a_bit_of_slabs_in_windows_of_classes() {
        let mixes = [
            (mapped().into(), Storage::F32, Storage::F32),
            (smoothed().into(), Storage::Bf16, Storage::F16),
            (KlDivergence::from_logits(Form::Probs).teacher_gradient().into(), Storage::F16, Storage::F16),
            (Loss::Softmax, Storage::Bf16, Storage::F16),
            (distillation(JensenShannon::from_logits(Form::Probs)), Storage::Bf16, Storage::F16),
            (KlDivergence::from_logits(Form::Probs).top_k(3, Rest::Spread).into(), Storage::F32, Storage::Bf16),
            (Entropy::of_probs().reduction(Reduction::None).into(), Storage::Bf16, Storage::F16),
            (each(KlDivergence::from_logits(Form::Probs)), Storage::Bf16, Storage::F16),
            (each(KlDivergence::from_logits(Form::Logits)), Storage::F32, Storage::F32),
            (distillation(KlDivergence::from_logits(Form::Probs).top_k(3, Rest::Spread)), Storage::Bf16, Storage::F16),
        ];
        for engine in narrow().iter().take(1) {
            for (i, (loss, logits, others)) in mixes.iter().enumerate() {
                let case = in_planes(&random(i, loss, Batch::new(INNER, 67)), INNER, [0; 3]);
                let shape = case.shape.storage(*others).logits_storage(*logits);
                layouts::check(engine, &Case { shape, ..case }, &LAYOUTS[1..]);
            }
        }
    }
}
