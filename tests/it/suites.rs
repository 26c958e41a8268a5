//! Cases of other libraries' own suites on every engine; `golden/suites.py` says how the files were made.
mod paragraph;

use rstest::rstest;
use surprisal::reference::Real;
use surprisal::{Loss, Pass};

use crate::losses;
use crate::support::case::Case;
use crate::support::compare::{assert_within, numbers};
use crate::support::device::{cpu, every_variant};
use paragraph::Paragraph;

/// The cases of a file, each with the values and gradient expected.
fn cases(text: &str) -> impl Iterator<Item = (Case, Vec<f64>, Option<Vec<f64>>)> {
    text.split("\n\n").filter(|text| !text.trim().is_empty()).map(Paragraph::new).map(|paragraph| {
        let values = paragraph.numbers("values").unwrap_or_else(|| panic!("{}: no values", paragraph.name()));
        (paragraph.case(), values, paragraph.numbers("dlogits"))
    })
}

/// Both sides compute in f64, and 13 digits were written; `rounding` counts the terms that were summed. Theirs loses
/// digits of a small `p - 1` beside other gradients.
fn assert_equals(case: &str, found: &[Real], expected: &[f64]) {
    let largest = expected.iter().filter(|e| e.is_finite()).fold(0.0, |largest: f64, e| largest.max(e.abs()));
    let bound = |i: usize| 1e-12 * (expected[i].abs() + found[i].rounding) + 1e-15 * largest;
    assert_within(case, &numbers(found), expected, bound);
}

#[rstest]
#[case::onnx(include_str!("golden/suites/onnx.txt"))]
#[case::pytorch(include_str!("golden/suites/pytorch.txt"))]
#[case::torchvision(include_str!("golden/suites/torchvision.txt"))]
#[case::optax(include_str!("golden/suites/optax.txt"))]
#[case::kornia(include_str!("golden/suites/kornia.txt"))]
#[case::monai(include_str!("golden/suites/monai.txt"))]
fn the_oracle_has_a_suites_numbers_and_every_engine_the_oracles(#[case] text: &str) {
    for (case, values, dlogits) in cases(text) {
        assert_equals(&case.name, &case.evaluate(Pass::Forward).values, &values);
        if let Some(expected) = dlogits {
            let found = case.evaluate(Pass::ForwardBackward).dlogits.unwrap_or_default();
            assert_equals(&format!("gradient of {}", case.name), &found, &expected);
        }
        if case.dloss.is_some() || !matches!(case.loss, Loss::LogSoftmax | Loss::Softmax) {
            losses::check_every_pass(every_variant(), &case);
        }
    }
}

#[rstest]
#[case::onnx(include_str!("golden/suites/onnx.txt"))]
#[case::pytorch(include_str!("golden/suites/pytorch.txt"))]
#[case::torchvision(include_str!("golden/suites/torchvision.txt"))]
#[case::optax(include_str!("golden/suites/optax.txt"))]
#[case::kornia(include_str!("golden/suites/kornia.txt"))]
#[case::monai(include_str!("golden/suites/monai.txt"))]
fn every_engine_has_a_suites_numbers_to_2e_6_of_the_terms_summed(#[case] text: &str) {
    for (case, values, dlogits) in cases(text) {
        let pass = if dlogits.is_some() { Pass::ForwardBackward } else { Pass::Forward };
        for (name, engine) in std::iter::once(cpu()).chain(every_variant()) {
            let output = engine.evaluate(&case.loss, pass, case.shape, case.inputs());
            let output = output.unwrap_or_else(|error| panic!("{name}: {}: {error}", case.name));
            assert_near(&format!("{name}: {}", case.name), &output.values, &values, &values);
            if let (Some(found), Some(expected)) = (&output.dlogits, &dlogits) {
                let terms = terms_of_gradient(&case, &values, expected);
                assert_near(&format!("{name}: gradient of {}", case.name), found, expected, &terms);
            }
        }
    }
}

/// The size of what each number of a gradient is the sum of.
fn terms_of_gradient(case: &Case, values: &[f64], gradient: &[f64]) -> Vec<f64> {
    let smoothed = matches!(&case.loss, Loss::CrossEntropy(loss) if loss.label_smoothing != 0.0);
    match &case.loss {
        // p_c (g_c - sum g p).
        Loss::Softmax => by_rows(case, values, |p, g| {
            let sum: f64 = std::iter::zip(p, g).map(|(p, g)| p * g).sum();
            std::iter::zip(p, g).map(|(p, g)| p * (g + sum)).collect()
        }),
        // g_c - p_c sum g.
        Loss::LogSoftmax => by_rows(case, values, |lp, g| {
            let sum: f64 = g.iter().sum();
            std::iter::zip(lp, g).map(|(lp, g)| g + lp.exp() * sum).collect()
        }),
        // A share of q less a share of the target, which is left where the class has no q.
        Loss::SoftCrossEntropy(_) | Loss::KlDivergence(_) => differences(case, gradient),
        _ if smoothed => differences(case, gradient),
        // Terms of one sign.
        _ => gradient.to_vec(),
    }
}

/// From a row's values and the sizes of its upstream gradients.
fn by_rows(case: &Case, values: &[f64], row: impl Fn(&[f64], &[f64]) -> Vec<f64>) -> Vec<f64> {
    let n_classes = case.shape.n_classes;
    let g: Vec<_> = case.dloss.iter().flatten().map(|&g| f64::from(g).abs()).collect();
    std::iter::zip(values.chunks(n_classes), g.chunks(n_classes)).flat_map(|(values, g)| row(values, g)).collect()
}

fn differences(case: &Case, gradient: &[f64]) -> Vec<f64> {
    let n_classes = case.shape.n_classes;
    let mut terms = vec![0.0; gradient.len()];
    for c in 0..n_classes {
        let mut without = case.clone();
        without.logits.iter_mut().skip(c).step_by(n_classes).for_each(|x| *x = f32::NEG_INFINITY);
        let without = without.gradient();
        for i in (c..gradient.len()).step_by(n_classes) {
            terms[i] = (gradient[i] - without[i]).abs() + without[i].abs();
        }
    }
    terms
}

/// Or to the smallest normal number.
fn assert_near(case: &str, found: &[f32], expected: &[f64], terms: &[f64]) {
    let found: Vec<_> = found.iter().copied().map(f64::from).collect();
    assert_within(case, &found, expected, |i| 2e-6 * terms[i].abs() + f64::from(f32::MIN_POSITIVE));
}
