//! CPU time of what surprisal does on the host, without waiting for the GPU, beside the same wgpu calls made bare.
//!
//! `bind` is from options and buffers to something recordable (check, plan, bind groups), with pipelines made before;
//! `record` is a recording into a command encoder, its share of `finish` included. `row_losses` is one dispatch, as
//! `bare_wgpu` is; `mean` has two more, to count the labels and to sum the losses.
//!
//! `cargo bench --bench overhead`; with `SURPRISAL_ADAPTER=software` on a software GPU.

mod bare;
#[path = "../support/device.rs"]
mod device;

use std::time::{Duration, Instant};

use criterion::Criterion;
use surprisal::wgpu::{self, BufferUsages};
use surprisal::{Bound, Buffers, CrossEntropy, GpuEngine, Pass, Reduction, Shape};

use bare::Bare;

const SHAPE: Shape = Shape::new(64, 1000);
/// Calls between two submissions: wgpu keeps what it has to upload until then.
const BATCH: u64 = 64;

/// Never read, never written: nothing recorded here is submitted.
struct Tensors {
    logits: wgpu::Buffer,
    labels: wgpu::Buffer,
    values: wgpu::Buffer,
    dlogits: wgpu::Buffer,
}

fn main() {
    let Some(engine) = device::open() else { return };
    // Rules of thumb are all that is wanted here; a second per number gives them.
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let tensors = Tensors::new(engine.device());
    bind(&mut criterion, &engine, &tensors);
    record(&mut criterion, &engine, &tensors);
    criterion.final_summary();
}

fn bind(criterion: &mut Criterion, engine: &GpuEngine, tensors: &Tensors) {
    let (device, bare) = (engine.device(), Bare::new(engine.device()));
    let mut group = criterion.benchmark_group("bind");
    group.bench_function("bare_wgpu", |bencher| {
        bencher.iter_custom(|n| in_batches(engine, n, || bare.bind(device, tensors)));
    });
    for (name, reduction) in [("row_losses", Reduction::None), ("mean", Reduction::Mean)] {
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|n| in_batches(engine, n, || cross_entropy(engine, tensors, reduction)));
        });
    }
    group.finish();
}

fn record(criterion: &mut Criterion, engine: &GpuEngine, tensors: &Tensors) {
    let (device, bare) = (engine.device(), Bare::new(engine.device()));
    let mut group = criterion.benchmark_group("record");
    let bind_group = bare.bind(device, tensors);
    group.bench_function("bare_wgpu", |bencher| {
        bencher.iter_custom(|n| recordings(device, n, |encoder| bare.record(&bind_group, encoder)));
    });
    for (name, reduction) in [("row_losses", Reduction::None), ("mean", Reduction::Mean)] {
        let bound = cross_entropy(engine, tensors, reduction);
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|n| recordings(device, n, |encoder| bound.record(encoder)));
        });
    }
    group.finish();
}

fn cross_entropy(engine: &GpuEngine, tensors: &Tensors, reduction: Reduction) -> Bound {
    let Tensors { logits, labels, values, dlogits } = tensors;
    let buffers =
        Buffers::new(logits.slice(..)).targets(labels.slice(..)).values(values.slice(..)).dlogits(dlogits.slice(..));
    let plan = engine.plan(CrossEntropy::new().reduction(reduction), Pass::ForwardBackward, SHAPE);
    plan.and_then(|plan| plan.bind(&buffers)).expect("the tensors are of this shape")
}

/// The time of `n` calls, what they return dropped within it.
fn in_batches<T>(engine: &GpuEngine, n: u64, call: impl Fn() -> T) -> Duration {
    let mut total = Duration::ZERO;
    for first in (0..n).step_by(BATCH as usize) {
        let start = Instant::now();
        (first..n.min(first + BATCH)).for_each(|_| drop(std::hint::black_box(call())));
        total += start.elapsed();
        engine.queue().submit([]);
        engine.device().poll(wgpu::PollType::wait_indefinitely()).expect("the device is not lost");
    }
    total
}

/// The time of `n` recordings into one encoder, and of finishing it.
fn recordings(device: &wgpu::Device, n: u64, record: impl Fn(&mut wgpu::CommandEncoder)) -> Duration {
    let start = Instant::now();
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("overhead") });
    (0..n).for_each(|_| record(&mut encoder));
    let commands = encoder.finish();
    let elapsed = start.elapsed();
    drop(commands);
    elapsed
}

impl Tensors {
    fn new(device: &wgpu::Device) -> Tensors {
        let words = |label, n: usize| {
            let (size, usage) = (n as u64 * 4, BufferUsages::STORAGE);
            device.create_buffer(&wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false })
        };
        Tensors {
            logits: words("logits", SHAPE.logits_len()),
            labels: words("labels", SHAPE.n_rows),
            values: words("values", SHAPE.n_rows),
            dlogits: words("dlogits", SHAPE.dlogits_len()),
        }
    }
}
