//! Probabilities on the device: those that are none.

use surprisal::{BinaryCrossEntropy, Broadcast, Pass, Reduction, SigmoidFocal};

use crate::support::case::{Case, case};
use crate::support::device::gpus;
use crate::support::staged::{APART, ARENA, run};

const NAN: u32 = 0x7fc0_0000;
const AT: usize = 3;

#[test]
fn a_probability_out_of_range_is_nan_and_changes_no_other_bit() {
    assert_nan_alone(|probs| {
        let loss = BinaryCrossEntropy::of_probs().reduction(Reduction::None);
        case(loss, 3, &probs).values(&[1.0, 0.0, 1.0, 0.25, 0.0, 0.5])
    });
}

#[test]
fn a_soft_label_out_of_range_is_nan_and_changes_no_other_bit() {
    assert_nan_alone(|probs| {
        let loss = SigmoidFocal::new(0.5).alpha(0.25).reduction(Reduction::None);
        case(loss, 3, &[0.5, -2.0, 1.0, 3.0, 0.0, -0.25]).values(&probs)
    });
}

/// RetinaNet's anchors that do not count have label -1.
#[test]
fn a_soft_label_out_of_range_costs_nothing_where_its_weight_is_0() {
    let loss = SigmoidFocal::new(2.0).alpha(0.25).reduction(Reduction::None);
    let masked = case(loss, 3, &[0.5, -2.0, 1.0]).values(&[1.0, -1.0, 0.0]);
    let masked = masked.weights(&[1.0, 0.0, 2.0], Broadcast::PerElement);
    let oracle = masked.evaluate(Pass::ForwardBackward);
    assert_eq!((oracle.values[1].value, oracle.dlogits.expect("a gradient")[1].value), (0.0, 0.0));
    for engine in gpus() {
        for pass in [Pass::ForwardBackward, Pass::Backward] {
            let found = run(engine, &masked, pass, APART, &[]);
            assert_eq!(found.dlogits[1] << 1, 0, "{pass:?} on {}", engine.backend());
            assert!(found.values.get(1).is_none_or(|value| value << 1 == 0), "{pass:?} on {}", engine.backend());
            let rest = found.values.iter().chain(&found.dlogits).map(|&bits| f32::from_bits(bits));
            assert!(rest.into_iter().all(f32::is_finite), "{pass:?} on {}", engine.backend());
        }
    }
}

/// Puts what is no probability among those that a case is made from.
fn assert_nan_alone(of: impl Fn([f32; 6]) -> Case) {
    let probs = [0.5, 0.25, 1.0, 0.75, 0.0, 0.125];
    let sound = of(probs);
    let smallest_above_one = f32::from_bits(1.0_f32.to_bits() + 1);
    let engines: Vec<_> = gpus().collect();
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1e-45, -0.5, smallest_above_one, 2.0] {
        let mut probs = probs;
        probs[AT] = bad;
        let mut case = of(probs);
        case.name = format!("{bad:e} among probabilities");
        for engine in &engines {
            for pass in [Pass::Forward, Pass::ForwardBackward, Pass::Backward] {
                for layout in [APART, ARENA.shift(1)] {
                    let mut expected = run(engine, &sound, pass, layout, &[]);
                    expected.values.iter_mut().skip(AT).take(1).for_each(|value| *value = NAN);
                    expected.dlogits.iter_mut().skip(AT).take(1).for_each(|dx| *dx = NAN);
                    let found = run(engine, &case, pass, layout, &[]);
                    assert_eq!(found, expected, "{pass:?} of {} on {}", case.name, engine.backend());
                }
            }
        }
    }
}
