//! The segmenter on the GPU. A training is one submission: every step's logits, loss and descent, and a prediction of
//! the held-out scenes after every epoch.

use surprisal::wgpu::{self, BufferSlice, BufferUsages, util::DeviceExt};
use surprisal::{Bound, Buffers, CrossEntropy, GpuEngine, Loss, Pass, Shape, Side};

use crate::{
    Result,
    scenes::{DIGIT, Digit, EDGE, N_CLASSES, N_PIXELS, Scenes, VOID},
};

/// Scenes in a step, which divides their number.
pub const BATCH: usize = 4;
pub const N_EPOCHS: usize = 10;
const LEARNING_RATE: f64 = 10.0;
/// Of the softmax over the templates: 1 over its temperature.
const SHARPNESS: f64 = 8.0;
/// Of each digit.
const TEMPLATES_PER_CLASS: usize = 4;
const N_TEMPLATES: usize = 10 * TEMPLATES_PER_CLASS;
/// The templates' and the ink.
const N_FEATURES: usize = N_TEMPLATES + 1;
/// Weights and biases.
const N_PARAMS: usize = N_CLASSES * (N_FEATURES + 1);
const WORD: usize = 4;
/// Invocations per workgroup, in every kernel.
const WORKGROUP: usize = 64;

pub struct Segmenter {
    gpu: GpuEngine,
    forward: wgpu::ComputePipeline,
    descend: wgpu::ComputePipeline,
    train: Features,
    held_out: Features,
}

/// Scenes as the linear layer sees them.
struct Features {
    n: usize,
    /// `[n, N_FEATURES, H*W]`
    features: wgpu::Buffer,
    /// `[n, H*W]`
    labels: wgpu::Buffer,
}

/// A training as it came back.
pub struct Run {
    pub epochs: Vec<Epoch>,
    /// Of the last step, `[BATCH, N_CLASSES, H*W]`.
    pub logits: Vec<f32>,
    pub dlogits: Vec<f32>,
}

pub struct Epoch {
    /// The mean of the steps'.
    pub loss: f32,
    /// `[n_held_out, H*W]`, classes; the background where the label is void.
    pub predictions: Vec<u32>,
}

impl Segmenter {
    /// Templates are some of the digits; features are made once.
    pub fn new(gpu: &GpuEngine, digits: &[Digit], train: &Scenes, held_out: &Scenes) -> Segmenter {
        let device = gpu.device();
        let module = device.create_shader_module(wgpu::include_wgsl!("segmenter.wgsl"));
        let pipeline = |entry| pipeline(device, &module, entry);
        let [fit, pool, compare] = ["fit", "pool", "compare"].map(pipeline);
        let templates = upload(device, "templates", bytemuck::cast_slice(&templates(digits)));
        let features = |scenes: &Scenes| {
            let ink = upload(device, "ink", bytemuck::cast_slice(&scenes.ink));
            let [n_fits, n_features] = [N_TEMPLATES, N_FEATURES].map(|channels| scenes.n * channels * N_PIXELS);
            let (fits, features) = (zeros(device, "fits", n_fits), zeros(device, "features", n_features));
            let (ink, fits, all) = ((0, ink.slice(..)), (2, fits.slice(..)), (3, features.slice(..)));
            let calls = [
                Call::new(device, &fit, &[ink, (1, templates.slice(..)), fits], n_fits / WORKGROUP),
                Call::new(device, &pool, &[fits, all], n_fits / WORKGROUP),
                Call::new(device, &compare, &[ink, all], scenes.n * N_PIXELS / WORKGROUP),
            ];
            let mut encoder = device.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            calls.iter().for_each(|call| call.record(&mut pass));
            drop(pass);
            gpu.queue().submit([encoder.finish()]);
            let labels = upload(device, "labels", bytemuck::cast_slice(&scenes.labels));
            Features { n: scenes.n, features, labels }
        };
        Segmenter {
            gpu: gpu.clone(),
            forward: pipeline("forward"),
            descend: pipeline("descend"),
            train: features(train),
            held_out: features(held_out),
        }
    }

    /// Trains a linear layer, from 0.
    pub fn train(&self, loss: &Loss) -> Result<Run> {
        let (device, n_steps) = (self.gpu.device(), self.train.n / BATCH);
        let (params, losses) = (zeros(device, "params", N_PARAMS), zeros(device, "losses", n_steps));
        let n_logits = BATCH * N_CLASSES * N_PIXELS;
        let (logits, dlogits) = (zeros(device, "logits", n_logits), zeros(device, "dlogits", n_logits));

        // Classes lie a plane apart, as the layer before and the one behind have them.
        let plan = self.gpu.plan(loss, Pass::ForwardBackward, Shape::planes(BATCH, N_CLASSES, N_PIXELS))?;
        let step = |k: usize| -> Result<(Call, Bound, Call)> {
            let buffers = Buffers::new(logits.slice(..))
                .targets(nth(&self.train.labels, k, BATCH * N_PIXELS))
                .values(nth(&losses, k, 1))
                .dlogits(dlogits.slice(..));
            let features = (3, nth(&self.train.features, k, BATCH * N_FEATURES * N_PIXELS));
            let (params, dlogits) = ((4, params.slice(..)), (6, dlogits.slice(..)));
            let forward = [features, params, (5, logits.slice(..))];
            Ok((
                Call::new(device, &self.forward, &forward, n_logits / WORKGROUP),
                plan.bind(&buffers)?,
                Call::new(device, &self.descend, &[features, params, dlogits], N_PARAMS),
            ))
        };
        let steps = (0..n_steps).map(step).collect::<Result<Vec<_>>>()?;
        let (predict, predictions) = self.predict(&params)?;

        let of_epoch = [&losses, &predictions];
        let of_run = [&logits, &dlogits];
        let size = |buffers: &[&wgpu::Buffer]| buffers.iter().map(|buffer| buffer.size()).sum::<u64>();
        let readback = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("readback"),
            size: N_EPOCHS as u64 * size(&of_epoch) + size(&of_run),
            usage: BufferUsages::COPY_DST | BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        let mut offset = 0;
        let mut copy = |encoder: &mut wgpu::CommandEncoder, buffers: &[&wgpu::Buffer]| {
            for buffer in buffers {
                encoder.copy_buffer_to_buffer(buffer, 0, &readback, offset, buffer.size());
                offset += buffer.size();
            }
        };
        for _ in 0..N_EPOCHS {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for (forward, loss, descend) in &steps {
                forward.record(&mut pass);
                loss.record_in(&mut pass);
                descend.record(&mut pass);
            }
            predict.0.record(&mut pass);
            predict.1.record_in(&mut pass);
            drop(pass);
            copy(&mut encoder, &of_epoch);
        }
        copy(&mut encoder, &of_run);
        let (sender, receiver) = std::sync::mpsc::channel();
        encoder.map_buffer_on_submit(&readback, wgpu::MapMode::Read, .., move |mapped| {
            sender.send(mapped).expect("`train` waits for it");
        });
        self.gpu.queue().submit([encoder.finish()]);
        device.poll(wgpu::PollType::wait_indefinitely())?;
        receiver.recv()??;

        let words: Vec<u32> = bytemuck::pod_collect_to_vec(&readback.get_mapped_range(..)?);
        let floats = |words: &[u32]| words.iter().map(|&word| f32::from_bits(word)).collect::<Vec<_>>();
        let (epochs, last) = words.split_at(words.len() - 2 * n_logits);
        let epoch = |words: &[u32]| {
            let (losses, predictions) = words.split_at(n_steps);
            let loss = floats(losses).iter().sum::<f32>() / n_steps as f32;
            Epoch { loss, predictions: predictions.to_vec() }
        };
        Ok(Run {
            epochs: epochs.chunks_exact(epochs.len() / N_EPOCHS).map(epoch).collect(),
            logits: floats(&last[..n_logits]),
            dlogits: floats(&last[n_logits..]),
        })
    }

    /// Logits of the held-out scenes and, from surprisal, the class with the greatest: `[n, H*W]`.
    fn predict(&self, params: &wgpu::Buffer) -> Result<((Call, Bound), wgpu::Buffer)> {
        let (device, Features { n, features, labels }) = (self.gpu.device(), &self.held_out);
        let n_logits = n * N_CLASSES * N_PIXELS;
        let (logits, predictions) = (zeros(device, "logits", n_logits), zeros(device, "predictions", n * N_PIXELS));
        let loss = zeros(device, "held-out loss", 1);
        let argmax = CrossEntropy::new().ignore_index(VOID as i32).side(Side::new().argmax());
        let plan = self.gpu.plan(argmax, Pass::Forward, Shape::planes(*n, N_CLASSES, N_PIXELS))?;
        let buffers = Buffers::new(logits.slice(..)).targets(labels.slice(..));
        let bound = plan.bind(&buffers.values(loss.slice(..)).side(predictions.slice(..)))?;
        let slices = [(3, features.slice(..)), (4, params.slice(..)), (5, logits.slice(..))];
        Ok(((Call::new(device, &self.forward, &slices, n_logits / WORKGROUP), bound), predictions))
    }
}

/// The first few digits of each class, each with mean 0 and norm 1: `[N_TEMPLATES, DIGIT, DIGIT]`.
fn templates(digits: &[Digit]) -> Vec<f32> {
    let mut templates = Vec::new();
    for class in 1..N_CLASSES as u32 {
        for digit in digits.iter().filter(|digit| digit.class == class).take(TEMPLATES_PER_CLASS) {
            let mean = digit.ink.iter().sum::<f32>() / (DIGIT * DIGIT) as f32;
            let norm = digit.ink.iter().map(|ink| (ink - mean).powi(2)).sum::<f32>().sqrt();
            templates.extend(digit.ink.iter().map(|ink| (ink - mean) / norm));
        }
    }
    templates
}

fn upload(device: &wgpu::Device, label: &str, contents: &[u8]) -> wgpu::Buffer {
    let usage = BufferUsages::STORAGE;
    device.create_buffer_init(&wgpu::util::BufferInitDescriptor { label: Some(label), contents, usage })
}

fn zeros(device: &wgpu::Device, label: &str, n_words: usize) -> wgpu::Buffer {
    let (size, usage) = ((n_words * WORD) as u64, BufferUsages::STORAGE | BufferUsages::COPY_SRC);
    device.create_buffer(&wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false })
}

/// The k-th piece of `n` words. What the example's own kernels bind has to start at a multiple of 256 bytes, WebGPU's
/// default alignment; what surprisal binds may start at any word.
fn nth(buffer: &wgpu::Buffer, k: usize, n: usize) -> BufferSlice<'_> {
    buffer.slice((k * n * WORD) as u64..((k + 1) * n * WORD) as u64)
}

fn pipeline(device: &wgpu::Device, module: &wgpu::ShaderModule, entry: &str) -> wgpu::ComputePipeline {
    let constants = [
        ("DIGIT", DIGIT as f64),
        ("EDGE", EDGE as f64),
        ("N_CLASSES", N_CLASSES as f64),
        ("N_TEMPLATES", N_TEMPLATES as f64),
        ("SHARPNESS", SHARPNESS),
        ("LEARNING_RATE", LEARNING_RATE),
    ];
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(entry),
        layout: None,
        module,
        entry_point: Some(entry),
        compilation_options: wgpu::PipelineCompilationOptions { constants: &constants, ..Default::default() },
        cache: None,
    })
}

/// A pipeline with its slices, to be recorded as often as wanted.
struct Call {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    n_workgroups: usize,
}

impl Call {
    fn new(
        device: &wgpu::Device,
        pipeline: &wgpu::ComputePipeline,
        slices: &[(u32, BufferSlice<'_>)],
        n_workgroups: usize,
    ) -> Call {
        let mut entries = Vec::new();
        for &(binding, slice) in slices {
            let resource = wgpu::BindingResource::try_from(slice).expect("no tensor is empty");
            entries.push(wgpu::BindGroupEntry { binding, resource });
        }
        let layout = &pipeline.get_bind_group_layout(0);
        let bind_group =
            device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries });
        Call { pipeline: pipeline.clone(), bind_group, n_workgroups }
    }

    fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(self.n_workgroups as u32, 1, 1);
    }
}
