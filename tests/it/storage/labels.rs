//! Class indices of 32 and 64 bits.

use surprisal::{
    Buffers, CrossEntropy, Engine, Error, GpuEngine, Inputs, LabelStorage, Pass, Reduction, Shape, SoftmaxFocal,
    Storage, wgpu,
};
use wgpu::util::DeviceExt;

use super::PASSES;
use crate::losses::check;
use crate::support::case::Case;
use crate::support::cases::{Batch, padded, random_case};
use crate::support::device::{default_gpus, engines, gpus, variants};
use crate::support::losses::{cross_entropies, top_k_distillations};
use crate::support::staged::{APART, ARENA, Layout, download, run, saved_state};

fn wide(case: &Case) -> Case {
    let name = format!("{} with labels of 64 bits", case.name);
    Case { name, shape: case.shape.label_storage(LabelStorage::I64), ..case.clone() }
}

#[test]
fn labels_of_64_bits_match_the_oracle() {
    let others = top_k_distillations().into_iter().take(1).chain([SoftmaxFocal::new(2.0).ignore_index(1).into()]);
    for loss in cross_entropies().into_iter().chain(others) {
        check(variants(), &wide(&padded(&random_case(loss, Batch::new(300, 6)))));
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
        assert_eq!(error, Error::TargetRange { tensor: "targets", row: 1, found: label, n_classes: 3 });
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

/// What a device makes of the labels: the values, and the gradient.
fn recorded(engine: &GpuEngine, reduction: Reduction, labels: &[i64]) -> [Vec<f32>; 2] {
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
    let buffer = |contents: &[u8]| {
        let descriptor = wgpu::util::BufferInitDescriptor { label: None, contents, usage };
        engine.device().create_buffer_init(&descriptor)
    };
    let logits = LOGITS[..3].repeat(labels.len());
    let [values, dlogits] = [(); 2].map(|_| buffer(&vec![0; logits.len() * 4]));
    let (targets, logits) = (buffer(bytemuck::cast_slice(labels)), buffer(bytemuck::cast_slice(&logits)));
    let loss = CrossEntropy::new().ignore_index(-100).reduction(reduction);
    let shape = Shape::new(labels.len(), 3).label_storage(LabelStorage::I64);
    let plan = engine.plan(loss, Pass::ForwardBackward, shape).expect("the problem is sound");
    let buffers = Buffers::new(logits.slice(..)).targets(targets.slice(..));
    let bound = plan.bind(&buffers.values(values.slice(..)).dlogits(dlogits.slice(..))).expect("slices fit");
    let mut encoder = engine.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    bound.record(&mut encoder);
    engine.queue().submit([encoder.finish()]);
    [values, dlogits].map(|buffer| bytemuck::cast_slice(&download(engine, &buffer)).to_vec())
}

/// Nor does a device take their lower halves for labels, and the divisor of a mean does not count them.
#[test]
fn a_label_beyond_32_bits_poisons_its_row() {
    let labels = [2, (1 << 32) + 1, -(1 << 32) - 100, -100, i64::MIN, i64::MAX, 1 << 31];
    for engine in gpus() {
        let [values, _] = recorded(engine, Reduction::None, &labels);
        let [alone, alone_dlogits] = recorded(engine, Reduction::Mean, &labels[..1]);
        assert_eq!((values[0], values[3]), (alone[0], 0.0));
        assert!([1, 2, 4, 5, 6].iter().all(|&row| values[row].is_nan()), "{values:?}");
        let [_, dlogits] = recorded(engine, Reduction::Mean, &labels);
        assert_eq!(dlogits[..3], alone_dlogits[..3], "the gradient of the one row that is kept");
    }
}

mod full {
    use super::*;

    #[test]
    fn labels_of_64_bits_change_no_bit() {
        let layouts: [Layout; 3] = [APART, ARENA.shift(1), ARENA.tight()];
        for engine in default_gpus() {
            for loss in cross_entropies().into_iter().chain(top_k_distillations().into_iter().take(1)) {
                let case = random_case(loss, Batch::new(70, 6));
                for pass in PASSES {
                    let saved = saved_state(engine, &case, pass);
                    let expected = run(engine, &case, pass, APART, &saved);
                    for layout in layouts {
                        assert_eq!(
                            run(engine, &wide(&case), pass, layout, &saved),
                            expected,
                            "{layout:?} {}",
                            case.name
                        );
                    }
                }
            }
        }
    }
}
