//! Class indices of 32 and 64 bits.

use surprisal::{CrossEntropy, Engine, Error, Inputs, LabelStorage, Pass, Reduction, Shape, SoftmaxFocal, Storage};

use super::PASSES;
use crate::losses::check;
use crate::support::case::Case;
use crate::support::cases::{Batch, padded, random_case};
use crate::support::device::{engines, gpus};
use crate::support::losses::cross_entropies;
use crate::support::staged::{APART, ARENA, Layout, run, saved_state};

fn wide(case: &Case) -> Case {
    let name = format!("{} with labels of 64 bits", case.name);
    Case { name, shape: case.shape.label_storage(LabelStorage::I64), ..case.clone() }
}

#[test]
fn labels_of_64_bits_match_the_oracle() {
    for loss in cross_entropies().into_iter().chain([SoftmaxFocal::new(2.0).ignore_index(1).into()]) {
        check(engines(), &wide(&padded(&random_case(loss, Batch::new(300, 6)))));
    }
}

#[test]
fn labels_of_64_bits_change_no_bit() {
    let layouts: [Layout; 3] = [APART, ARENA.shift(1), ARENA.tight()];
    for engine in gpus() {
        for loss in cross_entropies() {
            let case = random_case(loss, Batch::new(70, 6));
            for pass in PASSES {
                let saved = saved_state(engine, &case, pass);
                let expected = run(engine, &case, pass, APART, &saved);
                for layout in layouts {
                    assert_eq!(run(engine, &wide(&case), pass, layout, &saved), expected, "{layout:?} {}", case.name);
                }
            }
        }
    }
}

const LOGITS: [f32; 6] = [2.0, 1.0, 0.5, -1.0, 0.25, 3.0];

fn evaluate(engine: &Engine, inputs: Inputs<'_>, labels: LabelStorage) -> Result<surprisal::Output, Error> {
    let loss = CrossEntropy::new().ignore_index(-100).reduction(Reduction::None);
    engine.evaluate(loss, Pass::ForwardBackward, Shape::new(2, 3).label_storage(labels), inputs)
}

#[test]
fn labels_of_every_type_mean_the_same() {
    for engine in engines().map(|(_, engine)| engine.clone()).chain([Engine::cpu()]) {
        let inputs = Inputs::new(&LOGITS);
        let expected = evaluate(&engine, inputs.targets(&[2_i32, -100]), LabelStorage::I32);
        assert_eq!(evaluate(&engine, inputs.targets(&[2_i64, -100]), LabelStorage::I64), expected);
        assert_eq!(evaluate(&engine, inputs.targets(&[2_u32, 0xffff_ff9c]), LabelStorage::I32), expected);
        assert_eq!(expected.expect("labels in range").values[1], 0.0);
    }
}

/// 2^32 + 1 is no 1, and -2^32 - 100 no -100.
#[test]
fn a_label_beyond_32_bits_is_refused_with_its_number() {
    for label in [(1_i64 << 32) + 1, -(1_i64 << 32) - 100, i64::MAX, i64::MIN] {
        let inputs = Inputs::new(&LOGITS);
        let error = evaluate(&Engine::cpu(), inputs.targets(&[0, label]), LabelStorage::I64).expect_err("out of range");
        assert_eq!(error, Error::TargetRange { row: 1, found: label, n_classes: 3 });
    }
}

#[test]
fn tensors_stored_otherwise_than_the_shape_says_are_refused() {
    let inputs = Inputs::new(&LOGITS);
    let error = evaluate(&Engine::cpu(), inputs.targets(&[0_i64, 1]), LabelStorage::I32).expect_err("i64");
    assert_eq!(error, Error::Storage { tensor: "targets", expected: "i32", found: "i64" });
    assert_eq!(error.to_string(), "expected targets stored as i32, found i64");
    let shape = Shape::new(2, 3).logits_storage(Storage::Bf16);
    let error = Engine::cpu().evaluate(CrossEntropy::new(), Pass::Forward, shape, inputs.targets(&[0, 1]));
    assert_eq!(error, Err(Error::Storage { tensor: "logits", expected: "bf16", found: "f32" }));
}
