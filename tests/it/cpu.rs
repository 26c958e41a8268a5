//! What the CPU engine promises beside results that are near the oracle's: the same bits however the work is shared,
//! and an output's memory used again.

use rayon::ThreadPoolBuilder;
use surprisal::{CrossEntropy, Engine, Inputs, Output, Pass, Reduction, Shape};

use crate::support::case::Case;
use crate::support::cases::{Batch, padded, random_case, representative_cases, with_random_dloss};
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
    let Output { values, parts, dlogits, dtargets, row_state, .. } = output;
    let tensors = [dlogits, dtargets, row_state].map(|tensor| tensor.as_deref().map(bits));
    [Some(bits(values)), parts.as_ref().map(|parts| bits(parts.as_flattened()))].into_iter().chain(tensors).collect()
}

/// Batches that are cut into many runs, in rows and as one slab.
fn large_cases() -> impl Iterator<Item = Case> {
    let rows = [Batch::new(9000, 10), Batch::new(300, 1000)];
    let cases = rows.into_iter().enumerate().flat_map(|(i, batch)| representative_cases(batch.deviation(3.0), i));
    cases.map(|case| with_random_dloss(&case)).flat_map(|case| [in_planes(&case, case.shape.n_rows, [0; 3]), case])
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
            assert_eq!(output.side.is_some(), fresh.side.is_some(), "{pass:?}: {}", case.name);
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
