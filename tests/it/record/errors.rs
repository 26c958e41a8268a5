//! The counter of rows without a value.

use surprisal::{CrossEntropy, GpuEngine, Pass, RowWeights, Shape, wgpu};
use wgpu::util::DeviceExt;

use crate::support::device::{gpus, with_limits};
use crate::support::staged::download;

const N_CLASSES: usize = 3;
/// More labels than a workgroup counts, and than the windows of narrow bindings hold.
const N_ROWS: usize = 20_000;

fn buffer(engine: &GpuEngine, words: &[u32]) -> wgpu::Buffer {
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
    let contents = bytemuck::cast_slice(words);
    engine.device().create_buffer_init(&wgpu::util::BufferInitDescriptor { label: None, contents, usage })
}

/// The counter after two recordings, begun at 7.
fn counted(engine: &GpuEngine, labels: &[i32], weights: &[f32]) -> u32 {
    let loss = CrossEntropy::new().ignore_index(-100).ignore_index(50).row_weights(RowWeights::Mask);
    let plan = engine.plan(loss, Pass::Forward, Shape::new(N_ROWS, N_CLASSES)).expect("a sound problem");
    let logits = buffer(engine, &vec![0; N_ROWS * N_CLASSES]);
    let [targets, row_weights] =
        [bytemuck::cast_slice(labels), bytemuck::cast_slice(weights)].map(|words| buffer(engine, words));
    let [values, errors] = [[0], [7]].map(|words| buffer(engine, &words));
    let buffers = surprisal::Buffers::new(logits.slice(..)).targets(targets.slice(..));
    let buffers = buffers.row_weights(row_weights.slice(..)).values(values.slice(..)).errors(errors.slice(..));
    let bound = plan.bind(&buffers).expect("sound buffers");
    let mut encoder = engine.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    bound.record(&mut encoder);
    bound.record(&mut encoder);
    engine.queue().submit([encoder.finish()]);
    download(engine, &errors)[0]
}

/// Every seventh label is out of range, unless it is ignored or its row weighs nothing; every eleventh weight is no
/// number, unless its label is ignored.
#[test]
fn rows_without_a_value_are_counted_until_the_caller_resets_the_counter() {
    let bad = [-1, 3, i32::MAX, i32::MIN, 50, -100];
    let label = |n: usize| if n.is_multiple_of(7) { bad[n / 7 % bad.len()] } else { (n % N_CLASSES) as i32 };
    let weight = |n: usize| match n {
        n if n.is_multiple_of(11) => [f32::NAN, f32::INFINITY][n / 11 % 2],
        n if n.is_multiple_of(5) => [0.0, -0.0][n % 2],
        _ => -2.0,
    };
    let labels: Vec<i32> = (0..N_ROWS).map(label).collect();
    let weights: Vec<f32> = (0..N_ROWS).map(weight).collect();
    let is_error = |n: &usize| {
        let (label, weight) = (labels[*n], weights[*n]);
        let in_range = (0..N_CLASSES as i32).contains(&label);
        ![-100, 50].contains(&label) && weight != 0.0 && (!in_range || !weight.is_finite())
    };
    let expected = 7 + 2 * (0..N_ROWS).filter(is_error).count() as u32;
    let narrow = with_limits(|limits| limits.max_storage_buffer_binding_size = 1 << 14);
    for engine in gpus().cloned().chain(narrow) {
        assert_eq!(counted(&engine, &labels, &weights), expected, "{}", engine.backend());
    }
}
