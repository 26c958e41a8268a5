//! GPU time of every operation in every pass, in three shapes, beside two baselines: a plain copy of the logits
//! (`copy`), and cross-entropy as a framework composes it, one kernel per primitive (`composed`). Before that, the time
//! of the CPU engine (`cpu/`), which takes no device.
//!
//! Results are held against the f64 reference, all of them, before anything is timed. Throughput counts the bytes of
//! the floor, each input tensor read once and each output tensor written once, whatever a kernel really moves: the
//! share of `copy` is the share of the memory's speed.
//!
//! `cargo bench --bench losses`; with `SURPRISAL_ADAPTER=software` on a software GPU.

#[path = "../support/check.rs"]
mod check;
mod composed;
mod cpu;
#[path = "../support/device.rs"]
mod device;
#[path = "../support/gpu_time.rs"]
mod gpu_time;
#[path = "../support/mode.rs"]
mod mode;
#[path = "../support/operations.rs"]
mod operations;
#[path = "../support/tensors.rs"]
mod tensors;

use std::time::Duration;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, BenchmarkId, Criterion, SamplingMode, Throughput};
use surprisal::{GpuEngine, Pass, Storage, wgpu};

use check::check;
use composed::Composed;
use cpu::Cpu;
use gpu_time::Clock;
use operations::{Case, Operation};
use tensors::Tensors;

/// Rows and classes: a language model's step, a step on ImageNet, a table.
const SHAPES: [(usize, usize); 3] = [(1024, 32000), (4096, 1000), (65536, 10)];
/// Units of rounding that a composed cross-entropy loses where a probability is close to 1: `1 - p` and `lse - x` cancel.
const CANCELLING: f64 = 32.0;
/// Tests take so many times fewer rows.
const TEST_DIVISOR: usize = 16;

fn main() {
    let divisor = if mode::is_test() { TEST_DIVISOR } else { 1 };
    bench_cpu(divisor);
    let Some(engine) = device::open() else { return };
    let clock = Clock::new(engine.device(), engine.queue());
    println!("{clock}");
    let tensors = SHAPES.map(|(n, c)| Tensors::new(engine.device(), n / divisor, c, Storage::F32));
    let mut bench = Bench { engine, clock, tensors, criterion: criterion() };

    bench.copy();
    for operation in operations::all() {
        for pass in [Pass::Forward, Pass::ForwardBackward, Pass::Backward] {
            bench.fused(&operation, pass);
        }
    }
    for pass in [Pass::Forward, Pass::ForwardBackward] {
        bench.composed(pass);
    }
    bench.criterion.final_summary();
}

/// The CPU engine, by the clock on the wall; of passes the two that are most called.
fn bench_cpu(divisor: usize) {
    let mut criterion = criterion();
    for (n_rows, n_classes) in SHAPES {
        let mut cpu = Cpu::new(n_rows / divisor, n_classes);
        cpu.copy(&mut criterion);
        for operation in operations::all() {
            for pass in [Pass::Forward, Pass::ForwardBackward] {
                cpu.bench(&mut criterion, &operation, pass);
            }
        }
    }
}

/// Few and short measurements: a GPU's clock is steady, and a software GPU takes its time.
fn criterion() -> Criterion {
    let (warm_up, measurement) = (Duration::from_millis(200), Duration::from_millis(500));
    Criterion::default().sample_size(10).warm_up_time(warm_up).measurement_time(measurement).configure_from_args()
}

struct Bench {
    engine: GpuEngine,
    clock: Clock,
    /// One set of buffers per shape; every operation uses the same.
    tensors: [Tensors; 3],
    criterion: Criterion,
}

impl Bench {
    /// Surprisal's kernels.
    fn fused(&mut self, operation: &Operation, pass: Pass) {
        let engine = self.engine.clone();
        let id = format!("{}.{}", operation.name(), name(pass));
        self.loss(&id, operation, pass, 0.0, |case| {
            let bound = case.bind(&engine).unwrap_or_else(|error| panic!("{}: {error}", operation.name()));
            move |compute| bound.record_in(compute)
        });
    }

    /// Cross-entropy, one kernel per primitive.
    fn composed(&mut self, pass: Pass) {
        let engine = self.engine.clone();
        let operation = operations::cross_entropy();
        let id = format!("composed/{}.{}", operation.name(), name(pass));
        self.loss(&id, &operation, pass, CANCELLING, |case| {
            let composed = Composed::cross_entropy(engine.device(), case.tensors, pass);
            move |compute| composed.record_in(compute)
        });
    }

    /// Times what `prepare` makes for each shape, once its results have passed.
    fn loss<Record: Fn(&mut wgpu::ComputePass<'_>)>(
        &mut self,
        id: &str,
        operation: &Operation,
        pass: Pass,
        forgiven: f64,
        prepare: impl Fn(&Case<'_>) -> Record,
    ) {
        let Bench { engine, clock, .. } = self;
        let mut group = group(&mut self.criterion, id);
        for tensors in &self.tensors {
            let case = Case { operation, pass, tensors };
            let checked = || {
                let record = prepare(&case);
                check(engine, &case, forgiven, |compute| record(compute));
                record
            };
            // Made when first needed, so that what a filter leaves out costs nothing.
            let mut record = None;
            group.throughput(Throughput::Bytes(case.floor()));
            group.bench_function(tensors.id(), |bencher| {
                let record = record.get_or_insert_with(checked);
                bencher.iter_custom(|n| clock.time(|compute| (0..n).for_each(|_| record(compute))));
            });
        }
        group.finish();
    }

    /// The logits, read and written once.
    fn copy(&mut self) {
        let mut group = group(&mut self.criterion, "copy");
        for tensors in &self.tensors {
            let copy = |encoder: &mut wgpu::CommandEncoder| {
                encoder.copy_buffer_to_buffer(&tensors.logits, 0, &tensors.dlogits, 0, None);
            };
            group.throughput(Throughput::Bytes(2 * tensors.logits.size()));
            group.bench_function(tensors.id(), |bencher| {
                bencher.iter_custom(|n| self.clock.time_encoder(|encoder| (0..n).for_each(|_| copy(encoder))));
            });
        }
        group.finish();
    }
}

fn name(pass: Pass) -> &'static str {
    match pass {
        Pass::Forward => "forward",
        Pass::ForwardBackward => "forward_backward",
        Pass::Backward => "backward",
    }
}

fn group<'a>(criterion: &'a mut Criterion, name: &str) -> BenchmarkGroup<'a, WallTime> {
    let mut group = criterion.benchmark_group(name);
    // Not samples of 1, 2, 3 .. iterations: one of the largest shape may take a second.
    group.sampling_mode(SamplingMode::Flat);
    group
}

impl Tensors {
    fn id(&self) -> BenchmarkId {
        BenchmarkId::from_parameter(format!("{}x{}", self.shape.n_rows, self.shape.n_classes))
    }
}
