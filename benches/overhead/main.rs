//! CPU time of what surprisal does on the host, without waiting for the GPU, beside the same wgpu calls made bare.
//!
//! `bind` is from options and buffers to something recordable (check, plan, bind groups), with pipelines made before;
//! `record` is a recording into a command encoder, its share of `finish` included. `row_losses` is one dispatch, `sum`
//! two and `mean`, which counts its labels first, three; the bare calls beside each are as many.
//!
//! `first_call` is what comes once: on an engine that has made nothing yet, from options to pipelines, beside wgpu and
//! the driver making the same pipelines from the same texts, and beside joining those texts alone.
//!
//! `cargo bench --bench overhead`; with `SURPRISAL_ADAPTER=software` on a software GPU.

mod bare;
#[path = "../support/device.rs"]
mod device;
mod first_call;
mod tensors;

use std::time::{Duration, Instant};

use criterion::Criterion;
use surprisal::{GpuEngine, wgpu};

use bare::Bare;
use first_call::FirstCall;
use tensors::{REDUCTIONS, Tensors};

/// Calls between two submissions: wgpu keeps what it has to upload until then.
const BATCH: u64 = 64;

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
    first_call(&mut criterion, &engine, &tensors);
    criterion.final_summary();
}

fn bind(criterion: &mut Criterion, engine: &GpuEngine, tensors: &Tensors) {
    let device = engine.device();
    let mut group = criterion.benchmark_group("bind");
    for (name, reduction, dispatches) in REDUCTIONS {
        let bare = Bare::new(device, dispatches);
        group.bench_function(format!("{name}/bare_wgpu"), |bencher| {
            bencher.iter_custom(|n| in_batches(engine, n, || bare.bind(device, tensors)));
        });
        group.bench_function(format!("{name}/surprisal"), |bencher| {
            bencher.iter_custom(|n| in_batches(engine, n, || tensors.bind(engine, reduction)));
        });
    }
    group.finish();
}

fn record(criterion: &mut Criterion, engine: &GpuEngine, tensors: &Tensors) {
    let device = engine.device();
    let mut group = criterion.benchmark_group("record");
    for (name, reduction, dispatches) in REDUCTIONS {
        let bare = Bare::new(device, dispatches);
        let (bind_groups, bound) = (bare.bind(device, tensors), tensors.bind(engine, reduction));
        group.bench_function(format!("{name}/bare_wgpu"), |bencher| {
            bencher.iter_custom(|n| recordings(device, n, |encoder| bare.record(&bind_groups, encoder)));
        });
        group.bench_function(format!("{name}/surprisal"), |bencher| {
            bencher.iter_custom(|n| recordings(device, n, |encoder| bound.record(encoder)));
        });
    }
    group.finish();
}

fn first_call(criterion: &mut Criterion, engine: &GpuEngine, tensors: &Tensors) {
    let mut group = criterion.benchmark_group("first_call");
    // A pipeline takes a software driver a tenth of a second.
    group.sample_size(10);
    for (name, reduction, _) in REDUCTIONS {
        let first_call = FirstCall::new(engine, tensors, reduction);
        let texts = first_call.texts();
        group.bench_function(format!("{name}/bare_wgpu"), |bencher| {
            bencher.iter(|| first_call.bare(engine.device(), &texts));
        });
        group.bench_function(format!("{name}/surprisal"), |bencher| bencher.iter(|| first_call.surprisal(engine)));
        group.bench_function(format!("{name}/texts"), |bencher| bencher.iter(|| first_call.texts()));
    }
    group.finish();
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
