//! Inequalities, and accuracy where other implementations lose it.

use rstest::rstest;
use surprisal::{
    BinaryCrossEntropy, CrossEntropy, Form, JensenShannon, KlDivergence, Loss, Pass, Reduction, SoftmaxFocal,
    TotalVariation,
};

use super::evaluate;
use crate::losses;
use crate::support::case::case;
use crate::support::cases::{Batch, random_case};
use crate::support::compare::assert_relative;
use crate::support::device::{cpu_and_variants, cpu_and_variants_at, every_engine, variants};
use crate::support::losses::{each_divergence, of_softmax};
use crate::support::random::Random;
use crate::support::spec::with_reduction;

/// f32 values as doubles.
fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// The target has logit 0, the others -L: `D = (C-1) e^-L`, `1 - p_t = D/(1+D)`; 1e-10 and 1e-30 for C = 2.
#[rstest]
fn confident_rows_keep_their_relative_accuracy(
    #[values(16.625, 23.025_85, 69.077_55)] distance: f32,
    #[values(2, 5, 300)] n_classes: usize,
) {
    let mut logits = vec![-distance; n_classes];
    logits[1] = 0.0;
    let d = (n_classes - 1) as f64 * (-f64::from(distance)).exp();
    let (q, p) = (d / (1.0 + d), 1.0 / (1.0 + d));
    for (name, engine) in every_engine() {
        let what = |loss: &str| format!("{name}: {loss}, 1 - p = {q:e}, C = {n_classes}");
        let ce = evaluate(engine, &case(CrossEntropy::new(), n_classes, &logits).labels(&[1]), Pass::ForwardBackward);
        assert_relative(&what("loss"), &doubles(&ce.values), &[d.ln_1p()], 4e-6);
        let gradient = doubles(&ce.dlogits.expect("a gradient"));
        assert_relative(&what("gradient"), &gradient[1..2], &[-q], 4e-6);
        // Down to the smallest normal number.
        for gamma in [0.125, 0.25, 0.5, 1.0, 2.0].into_iter().filter(|gamma| q.powf(1.0 + gamma) > 2e-38) {
            let focal = case(SoftmaxFocal::new(gamma as f32), n_classes, &logits).labels(&[1]);
            let focal = evaluate(engine, &focal, Pass::ForwardBackward);
            let (focus, what) = (q.powf(gamma), |loss| format!("{}, gamma = {gamma}", what(loss)));
            assert_relative(&what("focal"), &doubles(&focal.values), &[focus * d.ln_1p()], 4e-6);
            let slope = focus * (1.0 + gamma * p * d.ln_1p() / q);
            let gradient = doubles(&focal.dlogits.expect("a gradient"));
            assert_relative(&what("focal gradient"), &gradient[1..2], &[-slope * q], 4e-6);
        }
    }
}

/// log p of a p that devices would flush, down to where -100 is lower.
#[test]
fn binary_cross_entropy_of_tiny_probabilities_is_exact() {
    let probs = [5e-44_f32, 1e-43, 1e-42, 1e-40, 1.1e-38, 1.3e-38, 1e-30];
    let loss = BinaryCrossEntropy::of_probs().reduction(Reduction::None);
    let case = case(loss, 1, &probs).values(&[1.0; 7]);
    let expected = probs.map(|p| -f64::from(p).ln());
    for (name, engine) in every_engine() {
        let found = doubles(&evaluate(engine, &case, Pass::Forward).values);
        assert_relative(&format!("{name}: {}", case.name), &found, &expected, 2e-7);
    }
}

/// Teacher and student differ by what a step of training leaves.
#[rstest]
fn kl_divergence_is_never_negative(
    #[values(0.0, 1e-6, 1e-3, 1.0)] step: f32,
    #[values(Form::Logits, Form::Probs)] target: Form,
    #[values(1.0, 20.0)] temperature: f32,
) {
    for (i, n_classes) in [2, 6, 37, 1000].into_iter().enumerate() {
        let loss = KlDivergence::from_logits(target).temperature(temperature).reduction(Reduction::None);
        let mut case = random_case(loss.into(), Batch::new(50, n_classes).deviation(3.0));
        let teacher = case.values.as_mut().expect("a teacher");
        let logits = if target == Form::Logits {
            teacher.clone()
        } else {
            teacher.iter().map(|p| temperature * p.ln()).collect()
        };
        let moves = Random::new(7).grid(logits.len(), -1, 1);
        case.logits = logits.iter().zip(moves).map(|(x, by)| x + step * by).collect();
        for (name, engine) in cpu_and_variants_at(i) {
            for pass in [Pass::Forward, Pass::ForwardBackward] {
                let values = evaluate(engine, &case, pass).values;
                // Probabilities rounded to f32 may sum to less than 1 by half a unit for each.
                let floor = if target == Form::Logits { 0.0 } else { -(2.0_f32.powi(-24)) * n_classes as f32 };
                let least = values.iter().copied().fold(f32::INFINITY, f32::min);
                assert!(least >= floor, "{name}: {pass:?} of {}, step {step}: {least:e}", case.name);
            }
        }
    }
}

/// What a small step of training leaves, and a smaller one: bounds that count the rounding of log-ratios, not of the
/// logarithms' products.
#[rstest]
fn close_distributions_match_the_oracle(#[values(6, 37, 1000)] n_classes: usize) {
    let moves = Random::new(7).grid(20 * n_classes, -1, 1);
    let step = |i: usize| if i < 10 * n_classes { 1e-4 } else { 1e-2 };
    for loss in each_divergence(Form::Logits, Form::Logits) {
        let loss = with_reduction(&loss, Reduction::None);
        let mut case = random_case(loss, Batch::new(20, n_classes).deviation(3.0));
        case.values = Some(case.logits.iter().zip(&moves).enumerate().map(|(i, (x, by))| x + step(i) * by).collect());
        losses::check(variants(), &case);
    }
}

#[test]
fn jensen_shannon_is_at_most_log_2_and_total_variation_at_most_1() {
    let bounds = [(Loss::from(JensenShannon::from_logits(Form::Logits)), std::f32::consts::LN_2)];
    for (loss, most) in bounds.into_iter().chain([(TotalVariation::from_logits(Form::Logits).into(), 1.0)]) {
        for deviation in [0.1, 3.0, 30.0] {
            let batch = Batch::new(50, 37).deviation(deviation);
            let case = random_case(with_reduction(&loss, Reduction::None), batch);
            for (name, engine) in cpu_and_variants() {
                for &value in &evaluate(engine, &case, Pass::Forward).values {
                    // A sum of 37 terms, each good to a few units.
                    let in_range = (0.0..=most * (1.0 + 32.0 * f32::EPSILON)).contains(&value);
                    assert!(in_range, "{name}: {} has {value:e}", case.name);
                }
            }
        }
    }
}

/// Terms of size 1, times weights up to 2 and T^2 = 9, of a few roundings each, cancel in a row.
#[test]
fn gradient_rows_of_softmax_losses_sum_to_zero() {
    for (i, loss) in of_softmax().into_iter().step_by(5).enumerate() {
        let n_classes = [6, 37, 260][i % 3];
        let case = random_case(loss, Batch::new(5, n_classes).deviation(3.0));
        for (name, engine) in cpu_and_variants_at(i) {
            let gradient = doubles(&evaluate(engine, &case, Pass::ForwardBackward).dlogits.expect("a gradient"));
            for (n, row) in gradient.chunks(n_classes).enumerate() {
                let (sum, scale) = (row.iter().sum::<f64>(), row.iter().map(|g| g.abs()).sum::<f64>());
                let bound = 8.0 * 18.0 * (1.0 + scale) / f64::from(1 << 24);
                assert!(sum.abs() <= bound, "{name}: row {n} of {} sums to {sum:e}, bound {bound:e}", case.name);
            }
        }
    }
}
