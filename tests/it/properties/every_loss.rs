//! What holds of every loss at the edge, on the oracle, the CPU engine and a device: no loss is named, each is asked what
//! it reads.

use surprisal::{Engine, Family, Form, Loss, Pass, Reduction, TargetKind};

use super::evaluate;
use crate::support::bare::bare_losses;
use crate::support::case::Case;
use crate::support::cases::{Batch, random_case};
use crate::support::compare::numbers;
use crate::support::device::{cpu, every_variant};

const MASK: f32 = f32::NEG_INFINITY;
const N_CLASSES: usize = 6;
/// The row at the edge; the one before it is sound.
const ROW: usize = 1;

/// Two rows, by row where there is a choice.
fn two_rows(loss: Loss) -> Case {
    random_case(loss.with_reduction(Reduction::None), Batch::new(2, N_CLASSES).deviation(3.0))
}

fn is_of_softmax(loss: &Loss) -> bool {
    loss.input() == Form::Logits && loss.family() != Family::Elementwise
}

/// Loss and gradient of each row on the oracle, the CPU engine and a device, which makes a loss's kernel once for all
/// that is asked here.
fn results(case: &Case) -> Vec<(String, [Vec<Vec<f64>>; 2])> {
    let rows = |numbers: &[f64]| numbers.chunks(numbers.len() / 2).map(<[f64]>::to_vec).collect::<Vec<_>>();
    let oracle = case.evaluate(Pass::ForwardBackward);
    let of_oracle = [numbers(&oracle.values), numbers(&oracle.dlogits.unwrap_or_default())].map(|all| rows(&all));
    let mut all = vec![("the oracle".to_string(), of_oracle)];
    let engines: Vec<&(String, Engine)> = std::iter::once(cpu()).chain(every_variant().take(1)).collect();
    for (name, engine) in engines {
        let found = evaluate(engine, case, Pass::ForwardBackward);
        let doubles = |values: &[f32]| rows(&values.iter().copied().map(f64::from).collect::<Vec<_>>());
        all.push((name.clone(), [doubles(&found.values), doubles(&found.dlogits.unwrap_or_default())]));
    }
    all
}

/// NaN, +infinity, or nothing but masks.
#[test]
fn a_row_without_a_value_is_nan_and_leaves_its_neighbour_alone() {
    let bad: [fn(&mut [f32]); 3] = [|row| row[2] = f32::NAN, |row| row[5] = f32::INFINITY, |row| row.fill(MASK)];
    for (i, loss) in bare_losses().into_iter().filter(is_of_softmax).enumerate() {
        let sound = two_rows(loss);
        let mut case = sound.clone();
        bad[i % bad.len()](&mut case.logits[ROW * N_CLASSES..]);
        for ((name, found), (_, expected)) in results(&case).into_iter().zip(results(&sound)) {
            for (found, expected) in found.iter().zip(&expected) {
                assert!(found[ROW].iter().all(|x| x.is_nan()), "{name}: {}: {:?}", case.name, found[ROW]);
                assert_eq!(found[1 - ROW], expected[1 - ROW], "{name}: the neighbour in {}", case.name);
            }
        }
    }
}

/// A row whose label does not count is exactly 0, whatever its logits.
#[test]
fn an_ignored_row_is_zero_whatever_its_logits() {
    for loss in bare_losses().into_iter().filter(|loss| loss.targets() == TargetKind::ClassIndex) {
        let Some(loss) = crate::cover::ignoring(loss, 4) else { panic!("labels that cannot be ignored") };
        let mut case = two_rows(loss);
        case.labels.as_mut().expect("a label per row")[ROW] = 4;
        case.logits[ROW * N_CLASSES] = f32::NAN;
        for (name, found) in results(&case) {
            for found in found {
                assert!(found[ROW].iter().all(|&x| x == 0.0), "{name}: {}: {:?}", case.name, found[ROW]);
            }
        }
    }
}

/// A masked label costs what the loss tends to as p_t falls to 0, be that infinite or not, and its gradient is finite.
#[test]
fn a_masked_label_costs_the_limit_of_its_loss() {
    let of_labels = |loss: &Loss| is_of_softmax(loss) && loss.targets() == TargetKind::ClassIndex;
    for loss in bare_losses().into_iter().filter(of_labels) {
        let mut case = two_rows(loss);
        let label = case.labels.as_ref().expect("a label per row")[ROW] as usize;
        let mut at = |logit: f32| {
            case.logits[ROW * N_CLASSES + label] = logit;
            results(&case)
        };
        let (masked, near, far) = (at(MASK), at(-2000.0), at(-4000.0));
        for (((name, [values, gradient]), (_, [near, _])), (_, [far, _])) in masked.into_iter().zip(near).zip(far) {
            let (value, near, far) = (values[ROW][0], near[ROW][0], far[ROW][0]);
            let expected = if (far - near).abs() > 1e-6 * near.abs() { f64::INFINITY } else { far };
            assert!(value == expected || (value - expected).abs() < 1e-5 * expected, "{name}: {}: {value}", case.name);
            assert!(gradient[ROW].iter().all(|x| x.is_finite()), "{name}: {}: {:?}", case.name, gradient[ROW]);
        }
    }
}

/// Where there is one class it has all the probability, in either distribution.
#[test]
fn one_class_costs_nothing() {
    let one = |loss: Loss| random_case(loss.with_reduction(Reduction::None), Batch::new(2, 1).deviation(3.0));
    // A teacher that leaves its mass unnamed has less than all of it.
    let is_zero_there = |loss: &Loss| is_of_softmax(loss) && loss.family() != Family::Softmax && loss.top_k().is_none();
    for case in bare_losses().into_iter().filter(is_zero_there).map(one) {
        for (name, found) in results(&case) {
            assert!(found.iter().flatten().flatten().all(|x| x.abs() < 1e-6), "{name}: {}: {found:?}", case.name);
        }
    }
}
