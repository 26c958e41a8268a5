use surprisal::reference::{Evaluation, Real};
use surprisal::wgpu::{self, util::DownloadBuffer};
use surprisal::{GpuEngine, Pass};

use crate::operations::Case;

/// Units of f32 rounding allowed per unit that the reference counts, as in the tests.
const UNITS: f64 = 4.0;
const UNIT: f64 = 1.0 / (1 << 24) as f64;
/// Results below the smallest normal number may be flushed to 0, at each of a few steps.
const FLUSHED: f64 = 16.0 * f32::MIN_POSITIVE as f64;

/// Runs what `record` records; fails unless the outputs then hold what the reference says, as far as arithmetic in f32
/// has them and, beyond that, within `forgiven` units of rounding of a row's loss or gradient.
pub fn check(engine: &GpuEngine, case: &Case<'_>, forgiven: f64, record: impl FnOnce(&mut wgpu::ComputePass<'_>)) {
    let mut encoder = engine.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    // So that no earlier result passes for this one.
    encoder.clear_buffer(&case.tensors.values, 0, None);
    encoder.clear_buffer(&case.tensors.dlogits, 0, None);
    record(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()));
    engine.queue().submit([encoder.finish()]);
    let oracle = case.oracle();
    if case.pass != Pass::Backward {
        let values = read(engine, &case.tensors.values, case.n_values());
        compare(&case.to_string(), "values", &values, &expected_values(&oracle), forgiven * UNIT);
    }
    if case.has_gradient() {
        let mut gradient = read(engine, &case.tensors.dlogits, case.tensors.shape.n_elements());
        let scale = gradient_scale(case);
        gradient.iter_mut().for_each(|g| *g *= scale);
        let expected = oracle.dlogits.expect("asked for");
        let allowance = forgiven * UNIT / case.tensors.host.n_rows as f64;
        compare(&case.to_string(), "dlogits", &gradient, &expected, allowance);
    }
}

/// The losses, each followed by its parts if it is a sum.
fn expected_values(oracle: &Evaluation) -> Vec<Real> {
    match &oracle.parts {
        Some(parts) => oracle.values.iter().zip(parts).flat_map(|(&value, &[a, b, c])| [value, a, b, c]).collect(),
        None => oracle.values.clone(),
    }
}

/// A mean divides by the rows of the batch, the reference's by the distinct ones: a power of two between them.
fn gradient_scale(case: &Case<'_>) -> f32 {
    let Case { operation, tensors, .. } = case;
    if operation.is_softmax() { 1.0 } else { (tensors.shape.n_rows / tensors.host.n_rows) as f32 }
}

/// Holds every number against the expected ones, which repeat.
pub fn compare(case: &str, what: &str, found: &[f32], expected: &[Real], allowance: f64) {
    for (i, (&found, expected)) in found.iter().zip(expected.iter().cycle()).enumerate() {
        let allowed = UNIT * (UNITS * expected.rounding + expected.value.abs()) + FLUSHED + allowance;
        // Written so that NaN fails.
        let agrees = (f64::from(found) - expected.value).abs() <= allowed;
        assert!(agrees, "{case}: {what}[{i}] is {found:e}, the reference says {:e}", expected.value);
    }
}

/// The first `n` numbers of a buffer.
fn read(engine: &GpuEngine, buffer: &wgpu::Buffer, n: usize) -> Vec<f32> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let slice = buffer.slice(..(n * size_of::<f32>()) as u64);
    DownloadBuffer::read_buffer(engine.device(), engine.queue(), &slice, move |view| {
        let floats = view.map(|view| bytemuck::pod_collect_to_vec(&view));
        sender.send(floats).expect("`read` waits for them");
    });
    engine.device().poll(wgpu::PollType::wait_indefinitely()).expect("the device is not lost");
    receiver.recv().expect("polled until it was called").expect("the buffer was free to be mapped")
}
