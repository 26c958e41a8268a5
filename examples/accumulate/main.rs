//! Gradient accumulation without a round trip: a whole training, many steps of several micro-batches each, goes to the
//! GPU in one submission, and what comes back is read once.
//!
//! A third of the rows are padding, unevenly spread, so that the mean of the micro-batches' means is not the mean of
//! the batch. What every loss is divided by is counted on the GPU and handed to surprisal as a buffer, and so is the
//! scale that gradients are multiplied by. The same training in micro-batches and in one batch must come to the same.
//!
//! `cargo run --release --example accumulate`; with `SURPRISAL_ADAPTER=software` on a software GPU.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use surprisal::wgpu::{self, BufferUsages, util::DeviceExt};
use surprisal::{Bound, Buffers, CrossEntropy, Engine, GpuEngine, Pass, Reduction, Shape};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const N_ROWS: usize = 480;
const N_FEATURES: usize = 2;
const N_CLASSES: usize = 3;
const N_PARAMS: usize = N_CLASSES * (N_FEATURES + 1);
const PADDING: i32 = -100;
const LEARNING_RATE: f64 = 0.5;
/// Far more than f32 needs; 16-bit gradients would want it.
const LOSS_SCALE: f32 = 1024.0;
const N_STEPS: usize = 200;
const REPORT_EVERY: usize = 40;

fn main() -> Result<()> {
    let engine = Engine::new()?;
    println!("on {}", engine.backend());
    let Some(gpu) = engine.gpu() else {
        println!("nothing to record on a CPU; SURPRISAL_ADAPTER=software takes a software GPU");
        return Ok(());
    };
    let (points, labels) = clouds();
    let [whole, parts] = [1, 4].map(|n| Training::new(gpu, &points, &labels, n).and_then(|training| training.run()));
    let (whole, parts) = (whole?, parts?);
    println!("           one batch   four micro-batches");
    for step in (REPORT_EVERY - 1..N_STEPS).step_by(REPORT_EVERY) {
        println!("step {:4}  {:.6}    {:.6}", step + 1, whole[step], parts[step]);
    }
    let apart = whole.iter().zip(&parts).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    println!("never more than {apart:.1e} apart");
    if apart > 1e-4 {
        return Err("micro-batches should train as the whole batch does".into());
    }
    Ok(())
}

/// Points `[N_ROWS, N_FEATURES]` in three clouds, and their labels `[N_ROWS]`, the more of them padding the later.
fn clouds() -> (Vec<f32>, Vec<i32>) {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let (mut points, mut labels) = (Vec::new(), Vec::new());
    for row in 0..N_ROWS {
        let class = row % N_CLASSES;
        let angle = class as f32 / N_CLASSES as f32 * std::f32::consts::TAU;
        let mut noise = || (0..4).map(|_| rng.random_range(-0.8..0.8)).sum::<f32>();
        points.extend([2.0 * angle.cos() + noise(), 2.0 * angle.sin() + noise()]);
        let is_padding = rng.random_range(0..N_ROWS * 3 / 2) < row;
        labels.push(if is_padding { PADDING } else { class as i32 });
    }
    (points, labels)
}

/// The parameters' dispatches, and a micro-batch's with the loss between them.
struct Training {
    gpu: GpuEngine,
    count: Kernel,
    micro_batches: Vec<(Kernel, Bound, Kernel)>,
    descend: Kernel,
    /// The last step's loss of each micro-batch: its share of the mean over all rows that count.
    losses: wgpu::Buffer,
}

impl Training {
    fn new(gpu: &GpuEngine, points: &[f32], labels: &[i32], n_micro_batches: usize) -> Result<Training> {
        let device = gpu.device();
        let upload = |label, contents| {
            let usage = BufferUsages::STORAGE;
            device.create_buffer_init(&wgpu::util::BufferInitDescriptor { label: Some(label), contents, usage })
        };
        let zeros = |label, n_words: usize| {
            let (size, usage) = (n_words as u64 * 4, BufferUsages::STORAGE | BufferUsages::COPY_SRC);
            device.create_buffer(&wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false })
        };
        let n_rows = N_ROWS / n_micro_batches;
        let (x, all_labels) =
            (upload("x", bytemuck::cast_slice(points)), upload("labels", bytemuck::cast_slice(labels)));
        let (params, gradient) = (zeros("params", N_PARAMS), zeros("gradient", N_PARAMS));
        let (logits, dlogits) = (zeros("logits", n_rows * N_CLASSES), zeros("dlogits", n_rows * N_CLASSES));
        let (losses, n_kept) = (zeros("losses", n_micro_batches), zeros("n_kept", 1));
        let scale = upload("scale", bytemuck::bytes_of(&LOSS_SCALE));

        let module = device.create_shader_module(wgpu::include_wgsl!("steps.wgsl"));
        let kernel = |entry, first_row, n_words, buffers: &[(u32, &wgpu::Buffer)]| {
            Kernel::new(device, &module, entry, (n_rows, first_row), n_words, buffers)
        };
        // One plan: divisor and upstream gradient come from the GPU.
        let loss = CrossEntropy::new().ignore_index(PADDING).reduction(Reduction::SumDividedByInput);
        let plan = gpu.plan(loss, Pass::ForwardBackward, Shape::new(n_rows, N_CLASSES))?;
        let micro_batch = |k: usize| -> Result<_> {
            let rows = k as u64 * n_rows as u64 * 4;
            let buffers = Buffers::new(logits.slice(..)).targets(all_labels.slice(rows..rows + n_rows as u64 * 4));
            let buffers = buffers.divisor(n_kept.slice(..)).dloss(scale.slice(..));
            let buffers = buffers.values(losses.slice(k as u64 * 4..)).dlogits(dlogits.slice(..));
            let forward = [(0, &x), (1, &params), (2, &logits)];
            let accumulate = [(0, &x), (3, &dlogits), (4, &gradient)];
            Ok((
                kernel("forward", k * n_rows, n_rows * N_CLASSES, &forward),
                plan.bind(&buffers)?,
                kernel("accumulate", k * n_rows, N_PARAMS, &accumulate),
            ))
        };
        Ok(Training {
            gpu: gpu.clone(),
            count: kernel("count", 0, 1, &[(5, &all_labels), (6, &n_kept)]),
            micro_batches: (0..n_micro_batches).map(micro_batch).collect::<Result<_>>()?,
            descend: kernel("descend", 0, N_PARAMS, &[(1, &params), (4, &gradient)]),
            losses,
        })
    }

    /// The loss of every step: one submission, one readback.
    fn run(&self) -> Result<Vec<f32>> {
        let (device, step_bytes) = (self.gpu.device(), self.losses.size());
        let history = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("history"),
            size: N_STEPS as u64 * step_bytes,
            usage: BufferUsages::COPY_DST | BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        for step in 0..N_STEPS as u64 {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            if step == 0 {
                self.count.record(&mut pass);
            }
            for (forward, loss, accumulate) in &self.micro_batches {
                forward.record(&mut pass);
                loss.record_in(&mut pass);
                accumulate.record(&mut pass);
            }
            self.descend.record(&mut pass);
            drop(pass);
            encoder.copy_buffer_to_buffer(&self.losses, 0, &history, step * step_bytes, step_bytes);
        }
        let submission = self.gpu.queue().submit([encoder.finish()]);

        let (sender, receiver) = std::sync::mpsc::channel();
        history.map_async(wgpu::MapMode::Read, .., move |mapped| {
            sender.send(mapped).expect("`run` waits for it");
        });
        device.poll(wgpu::PollType::Wait { submission_index: Some(submission), timeout: None })?;
        receiver.recv()??;
        let shares: Vec<f32> = bytemuck::pod_collect_to_vec(&history.get_mapped_range(..)?);
        Ok(shares.chunks(self.micro_batches.len()).map(|shares| shares.iter().sum()).collect())
    }
}

/// A pipeline with its buffers, and the words that it writes.
struct Kernel {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    n_words: usize,
}

impl Kernel {
    fn new(
        device: &wgpu::Device,
        module: &wgpu::ShaderModule,
        entry: &str,
        (n_rows, first_row): (usize, usize),
        n_words: usize,
        buffers: &[(u32, &wgpu::Buffer)],
    ) -> Self {
        let constants = [
            ("N_ROWS", n_rows as f64),
            ("N_FEATURES", N_FEATURES as f64),
            ("N_CLASSES", N_CLASSES as f64),
            ("FIRST_ROW", first_row as f64),
            ("LEARNING_RATE", LEARNING_RATE),
            ("LOSS_SCALE", LOSS_SCALE.into()),
        ];
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(entry),
            layout: None,
            module,
            entry_point: Some(entry),
            compilation_options: wgpu::PipelineCompilationOptions { constants: &constants, ..Default::default() },
            cache: None,
        });
        let mut entries = Vec::new();
        for &(binding, buffer) in buffers {
            entries.push(wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() });
        }
        let layout = &pipeline.get_bind_group_layout(0);
        let bind_group =
            device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries });
        Kernel { pipeline, bind_group, n_words }
    }

    fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(self.n_words.div_ceil(64) as u32, 1, 1);
    }
}
