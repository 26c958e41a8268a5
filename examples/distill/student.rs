//! The student and its training, which is one submission: every step's forward pass, loss and descent, and the held-out
//! text's loss after every epoch.

use surprisal::wgpu::{self, BufferSlice, BufferUsages, util::DeviceExt};
use surprisal::{Bound, Buffers, CrossEntropy, Distillation, Engine, GpuEngine, Inputs, Pass, Shape, Side, Storage};

use crate::{
    Result,
    teacher::TopK,
    text::{CONTEXT, IGNORED, N_CLASSES, Rows},
};

pub const N_PARAMS: usize = (CONTEXT * N_CLASSES + 1) * N_CLASSES;
/// Rows in a step; the last ones, if they are fewer, are left out.
const BATCH: usize = 256;
const LEARNING_RATE: f64 = 16.0;
const N_EPOCHS: usize = 12;
/// What a distillation puts out: the sum, its hard part, its soft part, its z-loss.
const N_VALUES: usize = 4;
const WORD: usize = 4;

pub struct Student {
    gpu: GpuEngine,
    steps: Vec<(Call, Bound, Call)>,
    measure: (Call, Bound),
    /// Of an epoch: `[n_steps, N_VALUES]`, then the held-out text's loss and accuracy.
    results: wgpu::Buffer,
    /// `[BATCH, N_CLASSES]`, as the gradient.
    logits: wgpu::Buffer,
    dlogits: wgpu::Buffer,
}

/// A training as it came back.
pub struct Run {
    pub epochs: Vec<Epoch>,
    /// Of the last step, as they are bound.
    values: Vec<f32>,
    logits: Vec<f32>,
    dlogits: Vec<f32>,
}

pub struct Epoch {
    /// Means over the steps of the loss's parts, without their weights.
    pub hard: f32,
    pub soft: f32,
    pub z_loss: f32,
    /// Nats per held-out character.
    pub held_out: f32,
    /// The share of held-out characters that were the likeliest.
    pub accuracy: f32,
}

impl Student {
    /// A student that knows nothing: all parameters are 0.
    pub fn new(gpu: &GpuEngine, loss: &Distillation, rows: &Rows, teacher: &TopK, held_out: &Rows) -> Result<Student> {
        let device = gpu.device();
        let upload = |label, contents| {
            let usage = BufferUsages::STORAGE;
            device.create_buffer_init(&wgpu::util::BufferInitDescriptor { label: Some(label), contents, usage })
        };
        let zeros = |label, n_words: usize| {
            let (size, usage) = ((n_words * WORD) as u64, BufferUsages::STORAGE | BufferUsages::COPY_SRC);
            device.create_buffer(&wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false })
        };
        let [forward, descend] = pipelines(device);
        let (n_steps, params) = (rows.len() / BATCH, zeros("params", N_PARAMS));
        let results = zeros("results", n_steps * N_VALUES + 2);
        let [logits, dlogits] = ["logits", "dlogits"].map(|label| zeros(label, BATCH * N_CLASSES));

        // One plan for all steps; each binds its own slices.
        let plan = gpu.plan(loss, Pass::ForwardBackward, step_shape())?;
        let contexts = upload("contexts", bytemuck::cast_slice(&rows.contexts));
        let labels = upload("labels", bytemuck::cast_slice(&rows.labels));
        let ids = upload("teacher ids", bytemuck::cast_slice(&teacher.ids));
        let probs = upload("teacher probs", bytemuck::cast_slice(&teacher.probs));
        let step = |step: usize| -> Result<_> {
            let of_step = |buffer, row_bytes| nth(buffer, step, BATCH * row_bytes);
            let buffers = Buffers::new(logits.slice(..))
                .targets(of_step(&labels, size_of::<i32>()))
                .teacher_ids(of_step(&ids, teacher.k * size_of::<i32>()))
                .target_probs(of_step(&probs, teacher.k * Storage::F16.bytes()))
                .values(nth(&results, step, N_VALUES * WORD))
                .dlogits(dlogits.slice(..));
            let contexts = (0, of_step(&contexts, CONTEXT * WORD));
            let (params, n_columns) = ((1, params.slice(..)), (CONTEXT + 1) * N_CLASSES);
            Ok((
                Call::new(device, &forward, &[contexts, params, (2, logits.slice(..))], BATCH * N_CLASSES),
                plan.bind(&buffers)?,
                Call::new(device, &descend, &[contexts, params, (3, dlogits.slice(..))], n_columns),
            ))
        };
        let steps = (0..n_steps).map(step).collect::<Result<_>>()?;

        let plan = gpu.plan(loss_and_accuracy(), Pass::Forward, Shape::new(held_out.len(), N_CLASSES))?;
        let contexts = upload("held-out contexts", bytemuck::cast_slice(&held_out.contexts));
        let labels = upload("held-out labels", bytemuck::cast_slice(&held_out.labels));
        let all_logits = zeros("held-out logits", held_out.len() * N_CLASSES);
        let [value, accuracy] = [0, 1].map(|k| nth(&results, n_steps * N_VALUES + k, WORD));
        let buffers = Buffers::new(all_logits.slice(..)).targets(labels.slice(..)).values(value).side(accuracy);
        let slices = [(0, contexts.slice(..)), (1, params.slice(..)), (2, all_logits.slice(..))];
        let measure = (Call::new(device, &forward, &slices, held_out.len() * N_CLASSES), plan.bind(&buffers)?);
        Ok(Student { gpu: gpu.clone(), steps, measure, results, logits, dlogits })
    }

    /// One submission, one readback.
    pub fn train(&self) -> Result<Run> {
        let (device, epoch_size, batch_size) = (self.gpu.device(), self.results.size(), self.logits.size());
        let history_size = N_EPOCHS as u64 * epoch_size;
        let readback = device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("readback"),
            size: history_size + 2 * batch_size,
            usage: BufferUsages::COPY_DST | BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        let mut encoder = device.create_command_encoder(&Default::default());
        for epoch in 0..N_EPOCHS as u64 {
            self.record_epoch(&mut encoder.begin_compute_pass(&Default::default()));
            encoder.copy_buffer_to_buffer(&self.results, 0, &readback, epoch * epoch_size, epoch_size);
        }
        encoder.copy_buffer_to_buffer(&self.logits, 0, &readback, history_size, batch_size);
        encoder.copy_buffer_to_buffer(&self.dlogits, 0, &readback, history_size + batch_size, batch_size);
        let (sender, receiver) = std::sync::mpsc::channel();
        encoder.map_buffer_on_submit(&readback, wgpu::MapMode::Read, .., move |mapped| {
            sender.send(mapped).expect("`train` waits for it");
        });
        self.gpu.queue().submit([encoder.finish()]);
        device.poll(wgpu::PollType::wait_indefinitely())?;
        receiver.recv()??;

        let mut words: Vec<f32> = bytemuck::pod_collect_to_vec(&readback.get_mapped_range(..)?);
        let dlogits = words.split_off(words.len() - BATCH * N_CLASSES);
        let logits = words.split_off(words.len() - BATCH * N_CLASSES);
        let n_values = self.steps.len() * N_VALUES;
        let epochs = words.chunks_exact(n_values + 2).map(|results| Epoch::new(results.split_at(n_values))).collect();
        let values = words[words.len() - 2 - N_VALUES..][..N_VALUES].to_vec();
        Ok(Run { epochs, values, logits, dlogits })
    }

    fn record_epoch(&self, pass: &mut wgpu::ComputePass<'_>) {
        for (forward, loss, descend) in &self.steps {
            forward.record(pass);
            loss.record_in(pass);
            descend.record(pass);
        }
        let (forward, loss) = &self.measure;
        forward.record(pass);
        loss.record_in(pass);
    }
}

impl Epoch {
    fn new((values, measured): (&[f32], &[f32])) -> Epoch {
        let mean = |part| values.iter().skip(part).step_by(N_VALUES).sum::<f32>() / (values.len() / N_VALUES) as f32;
        let [hard, soft, z_loss] = [1, 2, 3].map(mean);
        Epoch { hard, soft, z_loss, held_out: measured[0], accuracy: measured[1] }
    }
}

impl Run {
    /// After the last epoch.
    pub fn result(&self) -> &Epoch {
        self.epochs.last().expect("at least one epoch was trained")
    }

    /// How far the last step's loss, its parts and its gradient are from the CPU's in f64, relative to the largest.
    pub fn distance_from_cpu(&self, loss: &Distillation, rows: &Rows, teacher: &TopK) -> Result<f32> {
        let last = rows.len() / BATCH - 1;
        let of_last = |width: usize| last * BATCH * width..(last + 1) * BATCH * width;
        let inputs = Inputs::new(&self.logits)
            .targets(&rows.labels[of_last(1)])
            .teacher_ids(&teacher.ids[of_last(teacher.k)])
            .target_probs(&teacher.probs[of_last(teacher.k)]);
        let output = Engine::cpu().evaluate(loss, Pass::ForwardBackward, step_shape(), inputs)?;
        let [hard, soft, z_loss] = output.parts.expect("a distillation has parts")[0];
        let of_values = distance(&self.values, &[output.values[0], hard, soft, z_loss]);
        Ok(of_values.max(distance(&self.dlogits, &output.dlogits.expect("asked for"))))
    }
}

/// Of text whose first positions do not count.
pub fn loss_and_accuracy() -> CrossEntropy {
    CrossEntropy::new().ignore_index(IGNORED).side(Side::new().top_1().mean())
}

/// The teacher's probabilities are stored in 16 bits.
fn step_shape() -> Shape {
    Shape::new(BATCH, N_CLASSES).targets_storage(Storage::F16)
}

/// The largest difference over the largest number.
fn distance(found: &[f32], expected: &[f32]) -> f32 {
    let largest = expected.iter().fold(0.0, |largest: f32, number| largest.max(number.abs()));
    found.iter().zip(expected).map(|(a, b)| (a - b).abs() / largest).fold(0.0, f32::max)
}

/// The k-th piece of so many bytes. What the example's own kernels bind starts at multiples of 256 bytes, WebGPU's
/// default alignment; what surprisal binds may start at any element.
fn nth(buffer: &wgpu::Buffer, k: usize, bytes: usize) -> BufferSlice<'_> {
    buffer.slice((k * bytes) as u64..((k + 1) * bytes) as u64)
}

/// The kernels `forward` and `descend`.
fn pipelines(device: &wgpu::Device) -> [wgpu::ComputePipeline; 2] {
    let module = device.create_shader_module(wgpu::include_wgsl!("student.wgsl"));
    let constants = [("N_CLASSES", N_CLASSES as f64), ("CONTEXT", CONTEXT as f64), ("LEARNING_RATE", LEARNING_RATE)];
    ["forward", "descend"].map(|entry| {
        device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(entry),
            layout: None,
            module: &module,
            entry_point: Some(entry),
            compilation_options: wgpu::PipelineCompilationOptions { constants: &constants, ..Default::default() },
            cache: None,
        })
    })
}

/// A pipeline with its slices, to be recorded as often as wanted.
struct Call {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    n_workgroups: u32,
}

impl Call {
    /// One invocation for each of `n` results.
    fn new(
        device: &wgpu::Device,
        pipeline: &wgpu::ComputePipeline,
        slices: &[(u32, BufferSlice<'_>)],
        n: usize,
    ) -> Call {
        let mut entries = Vec::new();
        for &(binding, slice) in slices {
            let resource = wgpu::BindingResource::try_from(slice).expect("no tensor is empty");
            entries.push(wgpu::BindGroupEntry { binding, resource });
        }
        let layout = &pipeline.get_bind_group_layout(0);
        let bind_group =
            device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout, entries: &entries });
        Call { pipeline: pipeline.clone(), bind_group, n_workgroups: n.div_ceil(64) as u32 }
    }

    fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(self.n_workgroups, 1, 1);
    }
}
