//! What holds for any numbers, on every engine: identities between losses, sums of gradients, rows that keep to
//! themselves. In the quick proof each has one engine, by a number of its own.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use surprisal::reference::Real;
use surprisal::{
    CrossEntropy, Engine, Entropy, Form, JensenShannon, KlDivergence, Loss, NegativeLogLikelihood, Pass, Reduction,
    Shape, SoftCrossEntropy, SoftmaxFocal,
};

use super::evaluate;
use crate::support::case::{Case, case};
use crate::support::compare::{UNITS, assert_within, numbers};
use crate::support::device::every_engine_at;
use crate::support::spec::with_reduction;

const N_ROWS: usize = 4;
const N_CLASSES: usize = 7;

/// The same cases on every run, and no files left behind.
fn repeatable(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..ProptestConfig::default() }
}

/// Multiples of 1/256 up to 8 to either side.
fn logits() -> impl Strategy<Value = Vec<f32>> {
    prop::collection::vec((-2048..=2048).prop_map(|n: i32| n as f32 / 256.0), N_ROWS * N_CLASSES)
}

fn labels() -> impl Strategy<Value = Vec<i32>> {
    prop::collection::vec(0..N_CLASSES as i32, N_ROWS)
}

/// Rows of whole numbers over their sum, as f32; some classes have none.
fn distributions() -> impl Strategy<Value = Vec<f32>> {
    let row = prop::collection::vec(0_u8..=20, N_CLASSES).prop_map(|mut masses| {
        masses[0] += 1;
        let total: f32 = masses.iter().map(|&mass| f32::from(mass)).sum();
        masses.into_iter().map(|mass| f32::from(mass) / total).collect::<Vec<_>>()
    });
    prop::collection::vec(row, N_ROWS).prop_map(|rows| rows.concat())
}

fn by_row(loss: impl Into<Loss>, logits: &[f32]) -> Case {
    case(with_reduction(&loss.into(), Reduction::None), N_CLASSES, logits)
}

fn doubles(values: &[f32]) -> Vec<f64> {
    values.iter().copied().map(f64::from).collect()
}

/// What an engine may be off by: see `compare`.
fn tolerance(real: Real) -> f64 {
    (UNITS * real.rounding + real.value.abs()) / f64::from(1 << 24) + 1e-35
}

fn losses_of(engine: &Engine, case: &Case) -> Vec<f64> {
    doubles(&evaluate(engine, case, Pass::Forward).values)
}

fn gradient_of(engine: &Engine, case: &Case) -> Vec<f64> {
    doubles(&evaluate(engine, case, Pass::ForwardBackward).dlogits.expect("a gradient"))
}

/// The allowed errors of each number of the cases, added up.
fn tolerances<'a>(cases: impl IntoIterator<Item = &'a Case>, pick: impl Fn(&Case) -> Vec<Real>) -> Vec<f64> {
    let mut sums = Vec::new();
    for reals in cases.into_iter().map(pick) {
        sums.resize(reals.len(), 0.0);
        sums.iter_mut().zip(reals).for_each(|(sum, real)| *sum += tolerance(real));
    }
    sums
}

fn values(case: &Case) -> Vec<Real> {
    case.evaluate(Pass::Forward).values
}

fn dlogits(case: &Case) -> Vec<Real> {
    case.evaluate(Pass::ForwardBackward).dlogits.expect("a gradient")
}

proptest! {
    #![proptest_config(repeatable(8))]

    #[test]
    fn kl_is_cross_entropy_less_entropy(logits in logits(), p in distributions()) {
        let kl = by_row(KlDivergence::from_logits(Form::Probs), &logits).values(&p);
        let ce = by_row(SoftCrossEntropy::new(), &logits).values(&p);
        let entropy = by_row(Entropy::of_probs(), &p);
        let bounds = tolerances([&kl, &ce, &entropy], values);
        for (name, engine) in every_engine_at(0) {
            let [found, ce, entropy] = [&kl, &ce, &entropy].map(|case| losses_of(engine, case));
            let expected: Vec<f64> = ce.iter().zip(&entropy).map(|(ce, entropy)| ce - entropy).collect();
            assert_within(name, &found, &expected, |n| bounds[n]);
        }
    }

    #[test]
    fn jensen_shannon_is_symmetric(a in logits(), b in logits()) {
        let loss = JensenShannon::from_logits(Form::Logits);
        let [one, other] = [by_row(loss.clone(), &a).values(&b), by_row(loss, &b).values(&a)];
        let bounds = tolerances([&one, &other], values);
        for (name, engine) in every_engine_at(1) {
            assert_within(name, &losses_of(engine, &one), &losses_of(engine, &other), |n| bounds[n]);
        }
    }

    #[test]
    fn a_one_hot_distribution_is_a_class_index(logits in logits(), labels in labels(), eps in 0..3_u8) {
        let (eps, weights) = (f32::from(eps) / 8.0, [0.5, 2.0, 0.0, 1.25, -0.75, 1.5, 1.0]);
        let mut one_hot = vec![0.0; N_ROWS * N_CLASSES];
        labels.iter().enumerate().for_each(|(n, &t)| one_hot[n * N_CLASSES + t as usize] = 1.0);
        let soft = SoftCrossEntropy::new().label_smoothing(eps).class_weights(weights);
        let hard = CrossEntropy::new().label_smoothing(eps).class_weights(weights);
        let (soft, hard) = (by_row(soft, &logits).values(&one_hot), by_row(hard, &logits).labels(&labels));
        let (of_values, of_slopes) = (tolerances([&soft, &hard], values), tolerances([&soft, &hard], dlogits));
        for (name, engine) in every_engine_at(2) {
            assert_within(name, &losses_of(engine, &soft), &losses_of(engine, &hard), |n| of_values[n]);
            assert_within(name, &gradient_of(engine, &soft), &gradient_of(engine, &hard), |i| of_slopes[i]);
        }
    }

    #[test]
    fn a_log_softmaxs_likelihood_is_cross_entropy(logits in logits(), labels in labels()) {
        let ce = by_row(CrossEntropy::new(), &logits).labels(&labels);
        let log_softmax = case(Loss::LogSoftmax, N_CLASSES, &logits);
        for (name, engine) in every_engine_at(3) {
            let log_probs = evaluate(engine, &log_softmax, Pass::Forward).values;
            let nll = by_row(NegativeLogLikelihood::new(), &log_probs).labels(&labels);
            let bounds = tolerances([&ce, &nll, &ce], values);
            assert_within(name, &losses_of(engine, &nll), &losses_of(engine, &ce), |n| bounds[n]);
        }
    }

    /// In any order, and in two calls: the same loss and gradient to the bit.
    #[test]
    fn permuting_or_sharding_the_batch_changes_no_bit_of_a_row(
        logits in logits(),
        labels in labels(),
        order in Just((0..N_ROWS).collect::<Vec<_>>()).prop_shuffle(),
        cut in 1..N_ROWS,
    ) {
        let case = by_row(CrossEntropy::new().label_smoothing(0.125), &logits).labels(&labels);
        let of = |rows: &[usize]| Case {
            shape: Shape::new(rows.len(), N_CLASSES),
            logits: rows.iter().flat_map(|n| logits[n * N_CLASSES..][..N_CLASSES].to_vec()).collect(),
            labels: Some(rows.iter().map(|&n| labels[n]).collect()),
            ..case.clone()
        };
        let (first, second) = order.split_at(cut);
        for (name, engine) in every_engine_at(4) {
            let results = |case: &Case| {
                let output = evaluate(engine, case, Pass::ForwardBackward);
                let dlogits = output.dlogits.expect("a gradient");
                let row = |(value, dx): (&f32, &[f32])| {
                    (value.to_bits(), dx.iter().map(|dx| dx.to_bits()).collect::<Vec<_>>())
                };
                output.values.iter().zip(dlogits.chunks(N_CLASSES)).map(row).collect::<Vec<_>>()
            };
            let whole = results(&case);
            let expected: Vec<_> = order.iter().map(|&n| whole[n].clone()).collect();
            prop_assert_eq!(&results(&of(&order)), &expected, "{}: rows {:?}", name, order);
            prop_assert_eq!([results(&of(first)), results(&of(second))].concat(), expected, "{}: cut at {}", name, cut);
        }
    }

    /// Whatever bits their logits are.
    #[test]
    fn ignored_rows_are_exactly_zero(
        words in prop::collection::vec(any::<u32>(), N_ROWS * N_CLASSES),
        special in prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX, 0.0]),
    ) {
        let mut logits: Vec<f32> = words.into_iter().map(f32::from_bits).collect();
        logits[N_CLASSES..2 * N_CLASSES].fill(special);
        let losses: [Loss; 3] = [
            CrossEntropy::new().ignore_index(-100).label_smoothing(0.125).into(),
            SoftmaxFocal::new(2.0).ignore_index(-100).into(),
            NegativeLogLikelihood::new().ignore_index(-100).into(),
        ];
        for loss in losses {
            let ignored = by_row(loss, &logits).labels(&[-100; N_ROWS]);
            for (name, engine) in every_engine_at(5) {
                let output = evaluate(engine, &ignored, Pass::ForwardBackward);
                let all = output.values.iter().chain(output.dlogits.iter().flatten());
                prop_assert!(all.into_iter().all(|x| *x == 0.0), "{}: {} has {:?}", name, ignored.name, output);
            }
        }
    }
}

/// Functions of a softmax of seven logits up to 8 to either side.
fn of_softmax(logits: &[f32], labels: &[i32], p: &[f32]) -> [Case; 4] {
    [
        by_row(CrossEntropy::new().label_smoothing(0.125), logits).labels(labels),
        by_row(SoftmaxFocal::new(2.0), logits).labels(labels),
        by_row(KlDivergence::from_logits(Form::Probs), logits).values(p),
        by_row(Entropy::of_logits(), logits),
    ]
}

proptest! {
    #![proptest_config(repeatable(8))]

    #[test]
    fn gradient_rows_sum_to_zero(logits in logits(), labels in labels(), p in distributions()) {
        for case in of_softmax(&logits, &labels, &p) {
            let bounds = tolerances([&case], dlogits);
            for (name, engine) in every_engine_at(6) {
                let gradient = gradient_of(engine, &case);
                let sums: Vec<f64> = gradient.chunks(N_CLASSES).map(|row| row.iter().sum()).collect();
                let bound = |n: usize| bounds[n * N_CLASSES..][..N_CLASSES].iter().sum();
                assert_within(&format!("{name}: {}", case.name), &sums, &[0.0; N_ROWS], bound);
            }
        }
    }

    /// The engine's gradient against central differences of the oracle's losses. Third derivatives are products of up
    /// to three probabilities and a loss up to 16 with factors that add up to less than 64.
    #[test]
    fn gradients_are_the_slopes_of_losses(logits in logits(), labels in labels(), p in distributions()) {
        let h = 1.0_f32 / 4096.0;
        for case in of_softmax(&logits, &labels, &p) {
            let bounds = tolerances([&case], dlogits);
            let truncation = 64.0 * f64::from(h).powi(2) / 6.0;
            let mut slopes = vec![0.0; N_ROWS * N_CLASSES];
            // A row depends on its own logits alone: the classes of all rows move together.
            for j in 0..N_CLASSES {
                let moved = |step: f32| {
                    let mut moved = case.clone();
                    moved.logits.iter_mut().skip(j).step_by(N_CLASSES).for_each(|x| *x += step);
                    numbers(&values(&moved))
                };
                for (n, (above, below)) in moved(h).into_iter().zip(moved(-h)).enumerate() {
                    slopes[n * N_CLASSES + j] = (above - below) / f64::from(2.0 * h);
                }
            }
            for (name, engine) in every_engine_at(7) {
                let found = gradient_of(engine, &case);
                assert_within(&format!("{name}: {}", case.name), &found, &slopes, |i| bounds[i] + truncation + 1e-11);
            }
        }
    }
}
