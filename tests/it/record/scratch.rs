//! Scratch memory of the caller's: as much as was said, not a byte beyond it, and the same bits.

use surprisal::wgpu::{self, util::DeviceExt};
use surprisal::{Buffers, CrossEntropy, Description, GpuEngine, Pass, Plan, Shape, Side};

use crate::support::cases::{Batch, random_case, representative_cases};
use crate::support::device::{default_gpus, whose_turn};
use crate::support::spec::with_reduction;
use crate::support::staged::{APART, Staged, download, plan, run, run_with_scratch, saved_state};

fn describe(plan: &Plan, buffers: &Buffers<'_>) -> Description {
    plan.describe(buffers).unwrap_or_else(|error| panic!("{:?}: {error}", plan.loss()))
}

/// Every `step`th representative, and side outputs.
fn assert_scratch_changes_no_bit(step: usize) {
    let side = CrossEntropy::new().ignore_index(-100).side(Side::new().entropy().top_1().mean());
    let engines: Vec<_> = default_gpus().collect();
    let cases = representative_cases(Batch::new(300, 5), 1).into_iter().step_by(step);
    for (i, case) in cases.chain([random_case(side.into(), Batch::new(300, 5))]).enumerate() {
        for engine in whose_turn(&engines, i) {
            for pass in [Pass::Forward, Pass::ForwardBackward, Pass::Backward] {
                let saved = saved_state(engine, &case, pass);
                let expected = run(engine, &case, pass, APART, &saved);
                assert_eq!(run_with_scratch(engine, &case, pass, &saved), expected, "{pass:?} of {}", case.name);
            }
        }
    }
}

#[test]
fn scratch_of_the_callers_changes_no_bit_and_is_not_exceeded() {
    assert_scratch_changes_no_bit(8);
}

/// Row state that a forward pass saves and nobody wants goes there too.
#[test]
fn a_forward_pass_without_row_state_keeps_it_in_scratch() {
    for engine in default_gpus() {
        let case = random_case(CrossEntropy::new().into(), Batch::new(300, 5));
        let (plan, staged) = (plan(engine, &case, Pass::Forward), Staged::without_row_state(engine, &case));
        let with_state = Staged::new(engine, &case, Pass::Forward, APART, &[]);
        let [less, more] = [&with_state, &staged].map(|staged| describe(&plan, &staged.buffers()).scratch_bytes);
        assert_eq!(more - less, (plan.row_state_len() as u64 * 4).next_multiple_of(alignment(engine)));
        let usage = wgpu::BufferUsages::STORAGE;
        let descriptor = wgpu::BufferDescriptor { label: None, size: more, usage, mapped_at_creation: false };
        let scratch = engine.device().create_buffer(&descriptor);
        let bound = plan.bind(&staged.buffers().scratch(scratch.slice(..))).expect("room for all of it");
        staged.submit(|encoder| bound.record(encoder));
        assert_eq!(staged.read().values, run(engine, &case, Pass::Forward, APART, &[]).values);
    }
}

fn alignment(engine: &GpuEngine) -> u64 {
    engine.device().limits().min_storage_buffer_offset_alignment.into()
}

/// One buffer for everything: inputs, outputs and scratch.
#[test]
fn scratch_may_lie_in_the_buffer_of_the_tensors() {
    const SHAPE: Shape = Shape::new(300, 5);
    let loss = with_reduction(&CrossEntropy::new().ignore_index(-100).into(), surprisal::Reduction::Mean);
    let case = random_case(loss, Batch::new(SHAPE.n_rows, SHAPE.n_classes));
    for engine in default_gpus() {
        let plan = plan(engine, &case, Pass::ForwardBackward);
        let (logits, labels) =
            (bytemuck::cast_slice(&case.logits), bytemuck::cast_slice(case.labels.as_ref().expect("labels")));
        // Each tensor starts at a multiple of 1024 bytes: logits and dlogits of 6000, labels of 1200, values of 4.
        let (at_labels, at_values, at_dlogits, at_scratch, end) = (6144, 8192, 9216, 16384, 32768);
        let mut bytes = vec![0xaa; end];
        bytes[..6000].copy_from_slice(logits);
        bytes[at_labels..at_labels + 1200].copy_from_slice(labels);
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let descriptor = wgpu::util::BufferInitDescriptor { label: Some("arena"), contents: &bytes, usage };
        let arena = engine.device().create_buffer_init(&descriptor);
        let slice = |from: usize, len: usize| arena.slice(from as u64..(from + len) as u64);
        let buffers = Buffers::new(slice(0, 6000)).targets(slice(at_labels, 1200)).values(slice(at_values, 4));
        let buffers = buffers.dlogits(slice(at_dlogits, 6000)).scratch(slice(at_scratch, end - at_scratch));
        let bound = plan.bind(&buffers).expect("sixteen kilobytes are enough");
        let mut encoder = engine.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        bound.record(&mut encoder);
        engine.queue().submit([encoder.finish()]);

        let (found, expected) = (download(engine, &arena), run(engine, &case, Pass::ForwardBackward, APART, &[]));
        assert_eq!(found[at_values / 4], expected.values[0]);
        assert_eq!(found[at_dlogits / 4..][..1500], expected.dlogits);
        let needed = describe(&plan, &buffers).scratch_bytes as usize;
        assert!(found[(at_scratch + needed) / 4..].iter().all(|&word| word == 0xaaaa_aaaa), "beyond {needed} bytes");
    }
}

mod full {
    #[test]
    fn scratch_of_the_callers_changes_no_bit_and_is_not_exceeded() {
        super::assert_scratch_changes_no_bit(1);
    }
}
