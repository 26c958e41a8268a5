use surprisal::half::{bf16, f16};
use surprisal::reference::{Evaluation, Real};
use surprisal::wgpu::{self, util::DownloadBuffer};
use surprisal::{GpuEngine, Pass, Storage};

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
    let (oracle, name) = (case.oracle(), case.to_string());
    if case.pass != Pass::Backward {
        let storage = case.values_storage();
        let values = read(engine, &case.tensors.values, case.n_values(), storage);
        compare(&name, "values", &values, &expected_values(&oracle), storage, forgiven * UNIT);
    }
    if case.has_gradient() {
        let storage = case.tensors.shape.dlogits_storage;
        let gradient = read(engine, &case.tensors.dlogits, case.tensors.shape.n_elements(), storage);
        let expected = expected_gradient(case, &oracle);
        let allowance = forgiven * UNIT / case.tensors.shape.n_rows as f64;
        compare(&name, "dlogits", &gradient, &expected, storage, allowance);
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
fn expected_gradient(case: &Case<'_>, oracle: &Evaluation) -> Vec<Real> {
    let Case { operation, tensors, .. } = case;
    let n_repeats = if operation.is_softmax() { 1 } else { tensors.shape.n_rows / tensors.host.n_rows };
    let shared = |x: &Real| Real { value: x.value / n_repeats as f64, rounding: x.rounding / n_repeats as f64 };
    oracle.dlogits.iter().flatten().map(shared).collect()
}

/// Holds every number against the expected ones, which repeat: it has to be what is stored of a number close to them.
pub fn compare(case: &str, what: &str, found: &[f32], expected: &[Real], storage: Storage, allowance: f64) {
    assert!(!expected.is_empty(), "{case}: no {what} to be compared with");
    for (i, (&found, expected)) in found.iter().zip(expected.iter().cycle()).enumerate() {
        let allowed = UNIT * (UNITS * expected.rounding + expected.value.abs()) + FLUSHED + allowance;
        // Written so that NaN fails.
        let agrees = f64::from(found) >= stored(expected.value - allowed, storage)
            && f64::from(found) <= stored(expected.value + allowed, storage);
        assert!(agrees, "{case}: {what}[{i}] is {found:e}, the reference says {:e}", expected.value);
    }
}

/// What a bound on an f32 becomes once that is stored: rounding is monotone, and leaves an f32 as it is.
fn stored(bound: f64, storage: Storage) -> f64 {
    if storage == Storage::F32 { bound } else { storage.round(bound).into() }
}

/// The first `n` numbers of a buffer.
fn read(engine: &GpuEngine, buffer: &wgpu::Buffer, n: usize, storage: Storage) -> Vec<f32> {
    let (sender, receiver) = std::sync::mpsc::channel();
    let slice = buffer.slice(..(n * storage.bytes()).next_multiple_of(size_of::<u32>()) as u64);
    DownloadBuffer::read_buffer(engine.device(), engine.queue(), &slice, move |view| {
        let floats = view.map(|view| widened(&view[..n * storage.bytes()], storage));
        sender.send(floats).expect("`read` waits for them");
    });
    engine.device().poll(wgpu::PollType::wait_indefinitely()).expect("the device is not lost");
    receiver.recv().expect("polled until it was called").expect("the buffer was free to be mapped")
}

/// Stored bytes as f32, exactly.
fn widened(bytes: &[u8], storage: Storage) -> Vec<f32> {
    match storage {
        Storage::F32 => bytemuck::pod_collect_to_vec(bytes),
        Storage::Bf16 => bytemuck::pod_collect_to_vec::<_, bf16>(bytes).into_iter().map(bf16::to_f32).collect(),
        Storage::F16 => bytemuck::pod_collect_to_vec::<_, f16>(bytes).into_iter().map(f16::to_f32).collect(),
    }
}
