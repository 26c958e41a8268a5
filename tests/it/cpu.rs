//! What the CPU engine promises beside results that are near the oracle's: the same bits however the work is shared,
//! and an output's memory used again.

use rayon::ThreadPoolBuilder;
use rstest::rstest;
use surprisal::{
    CrossEntropy, Distillation, Engine, Form, Inputs, JensenShannon, KlDivergence, Loss, NegativeLogLikelihood, Output,
    Pass, Reduction, RowWeights, Shape, Side, SoftmaxFocal,
};

use crate::losses::check;
use crate::support::case::{Case, case};
use crate::support::cases::{Batch, padded, random_case, representative_cases, with_random_dloss};
use crate::support::compare::side_words;
use crate::support::planes::in_planes;

const PASSES: [Pass; 2] = [Pass::Forward, Pass::ForwardBackward];

fn inputs(case: &Case, pass: Pass) -> Inputs<'_> {
    let mut inputs = case.inputs();
    inputs.dloss = inputs.dloss.filter(|_| pass != Pass::Forward);
    inputs
}

fn evaluate(case: &Case, pass: Pass) -> Output {
    let output = Engine::cpu().evaluate(&case.loss, pass, case.shape, inputs(case, pass));
    output.unwrap_or_else(|error| panic!("{}: {error}", case.name))
}

/// Every number of an output, as bits.
fn bits(output: &Output) -> Vec<Option<Vec<u32>>> {
    let bits = |numbers: &[f32]| numbers.iter().map(|number| number.to_bits()).collect();
    let Output { values, parts, dlogits, dtargets, row_state, side, .. } = output;
    let tensors = [dlogits, dtargets, row_state].map(|tensor| tensor.as_deref().map(bits));
    let tensors = tensors.into_iter().chain([side.as_ref().map(side_words)]);
    [Some(bits(values)), parts.as_ref().map(|parts| bits(parts.as_flattened()))].into_iter().chain(tensors).collect()
}

/// Batches that are cut into many runs: in rows, as one slab, and as three with padding that ends within a plane.
fn large_cases() -> impl Iterator<Item = Case> {
    let rows = [Batch::new(9000, 10), Batch::new(300, 1000)];
    let cases = rows.into_iter().enumerate().flat_map(|(i, batch)| representative_cases(batch.deviation(3.0), i));
    cases.map(|case| with_random_dloss(&case)).flat_map(|case| {
        let n_rows = case.shape.n_rows;
        [in_planes(&case, n_rows, [0; 3]), in_planes(&case, n_rows / 3, [1, 2, 3]), case]
    })
}

#[test]
fn the_number_of_threads_changes_no_bit() {
    let [one, three] = [1, 3].map(|n| ThreadPoolBuilder::new().num_threads(n).build().expect("threads to be had"));
    for case in large_cases() {
        let alone = one.install(|| evaluate(&case, Pass::ForwardBackward));
        let shared = three.install(|| evaluate(&case, Pass::ForwardBackward));
        assert_eq!(bits(&alone), bits(&shared), "{}", case.name);
    }
}

/// Shapes that grow and shrink, passes with and without a gradient, padding between rows: nothing of what an output
/// held is left.
#[test]
fn an_output_is_overwritten_whole() {
    let mut output = Output::default();
    output.values = vec![f32::NAN; 7];
    output.parts = Some(vec![[f32::NAN; 3]; 7]);
    (output.dlogits, output.dtargets) = (Some(vec![f32::NAN; 700]), Some(vec![f32::NAN; 700]));
    output.row_state = Some(vec![f32::NAN; 70]);
    for batch in [Batch::new(5, 6), Batch::new(50, 33), Batch::new(1, 2)] {
        for (case, pass) in representative_cases(batch, 1).iter().flat_map(|case| PASSES.map(|pass| (case, pass))) {
            let case = padded(&with_random_dloss(case));
            let written = Engine::cpu().evaluate_into(&case.loss, pass, case.shape, inputs(&case, pass), &mut output);
            written.unwrap_or_else(|error| panic!("{}: {error}", case.name));
            let fresh = evaluate(&case, pass);
            assert_eq!(bits(&output), bits(&fresh), "{pass:?}: {}", case.name);
        }
    }
}

/// What fails leaves the output as it was.
#[test]
fn an_error_overwrites_nothing() {
    let case = random_case(CrossEntropy::new().reduction(Reduction::None).into(), Batch::new(5, 6));
    let mut output = evaluate(&case, Pass::Forward);
    let before = bits(&output);
    let loss = CrossEntropy::new();
    let error = Engine::cpu().evaluate_into(loss, Pass::Forward, Shape::new(4, 6), case.inputs(), &mut output);
    assert!(error.is_err());
    assert_eq!(bits(&output), before);
}

/// Numbers whose products and sums f32 has no room for, while the results are numbers.
#[test]
fn extremes_are_as_the_oracle_has_them() {
    let of_labels = |loss: CrossEntropy, logits: &[f32]| case(loss, logits.len(), logits).labels(&[0]);
    let masks = [&[1.0, 2.0][..], &[f32::MIN; 38]].concat();
    let smoothed = || CrossEntropy::new().label_smoothing(0.1);
    let sum = |loss: CrossEntropy| loss.reduction(Reduction::Sum);
    let far = JensenShannon::from_logits(Form::Logits);
    let counted = NegativeLogLikelihood::new().row_weights(RowWeights::Count);
    let cases = [
        of_labels(smoothed(), &masks),
        of_labels(smoothed(), &[3e38, -3e38]),
        of_labels(sum(CrossEntropy::new().class_weights([10.0, 1.0, 1.0])), &[0.0, f32::NEG_INFINITY, -50.0])
            .dloss(&[1e38]),
        of_labels(CrossEntropy::new().z_loss(1.0), &[3e38, f32::NEG_INFINITY, 0.0]),
        case(CrossEntropy::new().class_weights([1.0, 2.0]).row_weights(RowWeights::Count), 2, &[0.5, 1.0, 0.0, 1.0])
            .labels(&[0, 1])
            .row_weights(&[1.0, -1.0]),
        // The row's loss is f32, its factor 1e-50 is not.
        case(counted.class_weights([1e-25, 1.0]), 2, &[-1e20, -2.0]).labels(&[0]).row_weights(&[1e-25]),
        case(far.clone(), 2, &[0.0, -720.0]).values(&[0.0, 0.0]),
        case(far, 2, &[0.0, 0.0]).values(&[0.0, -720.0]),
    ];
    for case in cases {
        check(std::iter::empty(), &case);
    }
}

/// An upstream gradient that is no number concerns its own row, of a sum of two losses as well.
#[test]
fn a_rows_upstream_gradient_changes_no_bit_of_another() {
    let loss =
        Distillation::new(CrossEntropy::new().reduction(Reduction::None), KlDivergence::from_logits(Form::Logits));
    let plain = random_case(loss.into(), Batch::new(9, 50)).dloss(&[1.0; 9]);
    let infinite = plain.clone().dloss(&[&[1.0; 8][..], &[f32::INFINITY]].concat());
    let [plain, infinite] = [plain, infinite].map(|case| evaluate(&case, Pass::ForwardBackward));
    let of_others = |output: Output| output.dlogits.expect("the pass has a gradient")[..8 * 50].to_vec();
    assert_eq!(plain.values, infinite.values);
    assert_eq!(of_others(plain), of_others(infinite));
}

/// Short rows are computed side by side unless side outputs are wanted; rows without a value, ignored ones and such as
/// have an upstream gradient that is no number go by themselves between them.
#[rstest]
fn rows_side_by_side_have_the_bits_of_rows_by_themselves(#[values(1, 2, 3, 5, 10, 31, 64, 65)] n_classes: usize) {
    let weights: Vec<f32> = (0..n_classes).map(|c| c as f32 / 4.0).collect();
    let (ce, focal) = (CrossEntropy::new().ignore_index(-100), SoftmaxFocal::new(2.0).ignore_index(-100));
    let side = Side::new().argmax();
    let cross_entropies = [
        ce.clone(),
        ce.clone().class_weights(weights).row_weights(RowWeights::Scale),
        ce.clone().temperature(2.5).z_loss(0.25).poly1(-0.5),
        ce.label_smoothing(0.1),
    ];
    let cross_entropies = cross_entropies.map(|loss| loss.reduction(Reduction::None));
    let pairs = cross_entropies.map(|loss| [loss.clone(), loss.side(side)].map(Loss::from));
    let focal = focal.reduction(Reduction::None);
    let pairs = pairs.into_iter().chain([[focal.clone(), focal.side(side)].map(Loss::from)]);
    for pair in pairs {
        let [together, alone] = pair.map(|loss| {
            let mut case = random_case(loss, Batch::new(37, n_classes).deviation(3.0));
            case.logits[5 * n_classes] = f32::NAN;
            case.logits[21 * n_classes..][..n_classes].fill(f32::NEG_INFINITY);
            let labels = case.labels.as_mut().expect("class indices");
            (labels[0], labels[17], labels[36]) = (-100, -100, 0);
            let dloss = (0..37).map(|n| if n % 11 == 7 { f32::INFINITY } else { n as f32 / 8.0 - 2.0 });
            let case = case.dloss(&dloss.collect::<Vec<_>>());
            PASSES.map(|pass| {
                let mut output = evaluate(&case, pass);
                output.side = None;
                output
            })
        });
        for (pass, (together, alone)) in PASSES.iter().zip(together.iter().zip(&alone)) {
            assert_eq!(bits(together), bits(alone), "{pass:?}, {n_classes} classes");
        }
    }
}
