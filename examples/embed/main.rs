//! surprisal inside an app that already uses wgpu: the app's device, buffers, kernels and encoders; surprisal's loss.
//!
//! Trains a softmax regression to tell three clouds of points apart. A step is recorded into one command encoder:
//! logits (ours), loss and its gradient (surprisal's), descent (ours). Nothing is copied, waited for or created in
//! between, and the losses are read once, at the end.
//!
//! `cargo run --release --example embed`; with `SURPRISAL_ADAPTER=software` on a software GPU.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use surprisal::wgpu::{self, BufferUsages, util::DeviceExt};
use surprisal::{Buffers, CrossEntropy, Engine, Pass, Shape};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const N_ROWS: usize = 512;
const N_FEATURES: usize = 2;
const N_CLASSES: usize = 3;
const N_PARAMS: usize = N_CLASSES * (N_FEATURES + 1);
const LEARNING_RATE: f64 = 0.1;
const N_STEPS: usize = 500;
/// A loss is kept after so many steps.
const REPORT_EVERY: usize = 50;

fn main() -> Result<()> {
    // 1. Your instance, adapter and device. The one thing to add: request what surprisal wants beside your own needs.
    let software = std::env::var("SURPRISAL_ADAPTER").is_ok_and(|adapter| adapter == "software");
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let options = wgpu::RequestAdapterOptions { force_fallback_adapter: software, ..Default::default() };
    let adapter = pollster::block_on(instance.request_adapter(&options))?;
    let (required_features, required_limits) = Engine::wanted(&adapter);
    let descriptor = wgpu::DeviceDescriptor { required_features, required_limits, ..Default::default() };
    let (device, queue) = pollster::block_on(adapter.request_device(&descriptor))?;

    // 2. Your buffers. Surprisal binds any with usage STORAGE, whole or in slices.
    let (points, labels) = clouds();
    let upload = |label, contents| {
        let usage = BufferUsages::STORAGE;
        device.create_buffer_init(&wgpu::util::BufferInitDescriptor { label: Some(label), contents, usage })
    };
    let zeros = |label, n_words: usize, usage| {
        let size = n_words as u64 * 4;
        device.create_buffer(&wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false })
    };
    let points = upload("points", bytemuck::cast_slice(&points));
    let labels = upload("labels", bytemuck::cast_slice(&labels));
    let params = zeros("params", N_PARAMS, BufferUsages::STORAGE);
    let logits = zeros("logits", N_ROWS * N_CLASSES, BufferUsages::STORAGE);
    let dlogits = zeros("dlogits", N_ROWS * N_CLASSES, BufferUsages::STORAGE);
    let losses = zeros("losses", N_STEPS / REPORT_EVERY, BufferUsages::STORAGE | BufferUsages::COPY_SRC);

    // 3. Your kernels.
    let linear = device.create_shader_module(wgpu::include_wgsl!("linear.wgsl"));
    let forward = Kernel::new(&device, &linear, "forward", &[(0, &points), (1, &params), (2, &logits)]);
    let descend = Kernel::new(&device, &linear, "descend", &[(0, &points), (1, &params), (3, &dlogits)]);

    // 4. The loss: a plan for the shape, then one binding per place a loss is written to, all made before the first step.
    let engine = Engine::from_device(&device, &queue)?;
    let plan = engine.plan(CrossEntropy::new(), Pass::ForwardBackward, Shape::new(N_ROWS, N_CLASSES))?;
    let buffers = Buffers::new(logits.slice(..)).targets(labels.slice(..)).dlogits(dlogits.slice(..));
    let bind = |k| plan.bind(&buffers.values(losses.slice(k * 4..(k + 1) * 4)));
    let bound = (0..(N_STEPS / REPORT_EVERY) as u64).map(bind).collect::<std::result::Result<Vec<_>, _>>()?;

    // 5. Training: dispatches only. The loss of a step overwrites the last one's until the next place is due.
    for step in 0..N_STEPS {
        let mut encoder = device.create_command_encoder(&Default::default());
        forward.record(&mut encoder, N_ROWS * N_CLASSES);
        bound[step / REPORT_EVERY].record(&mut encoder);
        descend.record(&mut encoder, N_PARAMS);
        queue.submit([encoder.finish()]);
    }

    println!("on {}", engine.backend());
    for (k, loss) in read(&device, &queue, &losses)?.iter().enumerate() {
        println!("step {:4}: loss {loss:.4}", (k + 1) * REPORT_EVERY);
    }
    Ok(())
}

/// Points `[N_ROWS, N_FEATURES]` and their labels `[N_ROWS]`: three clouds around a circle, which overlap a little.
fn clouds() -> (Vec<f32>, Vec<u32>) {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut noise = || (0..4).map(|_| rng.random_range(-0.8..0.8)).sum::<f32>();
    let labels: Vec<u32> = (0..N_ROWS).map(|row| (row % N_CLASSES) as u32).collect();
    let point = |&label| {
        let angle = label as f32 / N_CLASSES as f32 * std::f32::consts::TAU;
        [2.0 * angle.cos() + noise(), 2.0 * angle.sin() + noise()]
    };
    (labels.iter().flat_map(point).collect(), labels)
}

/// A pipeline with its buffers.
struct Kernel {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
}

impl Kernel {
    fn new(device: &wgpu::Device, module: &wgpu::ShaderModule, entry: &str, buffers: &[(u32, &wgpu::Buffer)]) -> Self {
        let sizes = [("N_ROWS", N_ROWS), ("N_FEATURES", N_FEATURES), ("N_CLASSES", N_CLASSES)];
        let mut constants = sizes.map(|(name, size)| (name, size as f64)).to_vec();
        constants.push(("LEARNING_RATE", LEARNING_RATE));
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
        Kernel { pipeline, bind_group }
    }

    /// One invocation for each of `n` results.
    fn record(&self, encoder: &mut wgpu::CommandEncoder, n: usize) {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(n.div_ceil(64) as u32, 1, 1);
    }
}

/// The numbers in a buffer; waits for everything submitted so far.
fn read(device: &wgpu::Device, queue: &wgpu::Queue, buffer: &wgpu::Buffer) -> Result<Vec<f32>> {
    let (sender, receiver) = std::sync::mpsc::channel();
    wgpu::util::DownloadBuffer::read_buffer(device, queue, &buffer.slice(..), move |view| {
        let floats = view.map(|view| bytemuck::pod_collect_to_vec(&view));
        sender.send(floats).expect("`read` waits for them");
    });
    device.poll(wgpu::PollType::wait_indefinitely())?;
    Ok(receiver.recv()??)
}
