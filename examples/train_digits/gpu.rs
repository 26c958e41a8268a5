//! The network on the GPU. An epoch is one submission: rows are gathered, every step's forward pass, loss, backward
//! pass and update recorded into one compute pass, and the step losses and predictions copied out at its end.

use surprisal::{
    Bound, Buffers, GpuEngine, Pass, Plan, Shape,
    wgpu::{self, BufferSlice},
};

use crate::{
    Result,
    data::{Digits, N_CLASSES, N_PIXELS},
    kernels::{Call, Kernels},
    network::{BATCH, Epoch, Layer, Recipe, Trainer, step_size},
    tensors::{SLOT_WORDS, Tensors, WORD},
};

pub struct GpuTrainer<'a> {
    gpu: &'a GpuEngine,
    tensors: Tensors,
    kernels: Kernels,
    n_train: usize,
    n_held_out: usize,
    /// `[n_train, N_PIXELS]`
    train_pixels: wgpu::Buffer,
    /// `[n_train]`
    train_labels: wgpu::Buffer,
    /// `[n_held_out, N_PIXELS]`
    held_out_pixels: wgpu::Buffer,
}

pub struct GpuNetwork {
    layers: [Layer; 2],
    params: wgpu::Buffer,
    workspace: Workspace,
    gathers: [Call; 2],
    steps: Vec<Step>,
    predict: [Call; 4],
    /// `[n_held_out]`
    predictions: wgpu::Buffer,
    /// Steps taken.
    t: i32,
}

struct Step {
    forward: [Call; 3],
    loss: Bound,
    backward: [Call; 4],
    update: Call,
}

/// What a forward pass leaves behind.
struct Activations {
    n_rows: usize,
    /// `[n_rows, n_hidden]`, after the ReLU.
    hidden: wgpu::Buffer,
    /// `[n_rows, N_CLASSES]`
    logits: wgpu::Buffer,
}

/// What the steps of a run share.
struct Workspace {
    /// `[n_rows]`, training rows in this epoch's order.
    order: wgpu::Buffer,
    /// `[n_steps * BATCH, N_PIXELS]`, in this order.
    pixels: wgpu::Buffer,
    /// `[n_steps * BATCH, target_width]`, in this order: labels, or the teacher's logits.
    targets: wgpu::Buffer,
    target_width: usize,
    activations: Activations,
    /// `[BATCH, n_hidden]`
    dhidden: wgpu::Buffer,
    /// `[BATCH, N_CLASSES]`
    dlogits: wgpu::Buffer,
    /// `[n_params]`, as the two moments.
    grads: wgpu::Buffer,
    moments: [wgpu::Buffer; 2],
    /// Adam's step sizes of this epoch, one to a slot.
    step_sizes: wgpu::Buffer,
    /// `[n_steps]`
    losses: wgpu::Buffer,
}

impl<'a> GpuTrainer<'a> {
    pub fn new(gpu: &'a GpuEngine, digits: &Digits) -> Self {
        let tensors = Tensors::new(gpu.device(), gpu.queue());
        GpuTrainer {
            gpu,
            kernels: Kernels::new(gpu.device()),
            n_train: digits.train.len(),
            n_held_out: digits.held_out.len(),
            train_pixels: tensors.upload("train pixels", &digits.train.pixels),
            train_labels: tensors.upload("train labels", &digits.train.labels),
            held_out_pixels: tensors.upload("held-out pixels", &digits.held_out.pixels),
            tensors,
        }
    }

    fn activations(&self, layers: [Layer; 2], n_rows: usize) -> Activations {
        let [hidden, logits] = layers.map(|layer| self.tensors.zeros("activations", n_rows * layer.n_out));
        Activations { n_rows, hidden, logits }
    }

    /// `[n_rows, N_PIXELS]` to logits.
    fn forward(
        &self,
        [first, second]: [Layer; 2],
        params: &wgpu::Buffer,
        pixels: BufferSlice<'_>,
        out: &Activations,
    ) -> [Call; 3] {
        let (kernels, n_rows) = (&self.kernels, out.n_rows);
        let (params, hidden) = (params.slice(..), out.hidden.slice(..));
        [
            kernels.linear_forward(first, n_rows, params, pixels, hidden),
            kernels.relu_forward(n_rows * first.n_out, hidden),
            kernels.linear_forward(second, n_rows, params, hidden, out.logits.slice(..)),
        ]
    }

    /// The gradients of the parameters from `dlogits`.
    fn backward(
        &self,
        [first, second]: [Layer; 2],
        params: &wgpu::Buffer,
        pixels: BufferSlice<'_>,
        workspace: &Workspace,
    ) -> [Call; 4] {
        let kernels = &self.kernels;
        let (hidden, grads) = (workspace.activations.hidden.slice(..), workspace.grads.slice(..));
        let (dlogits, dhidden) = (workspace.dlogits.slice(..), workspace.dhidden.slice(..));
        [
            kernels.linear_backward_params(second, BATCH, hidden, dlogits, grads),
            kernels.linear_backward_input(second, BATCH, params.slice(..), dlogits, dhidden),
            kernels.relu_backward(BATCH * first.n_out, hidden, dhidden),
            kernels.linear_backward_params(first, BATCH, pixels, dhidden, grads),
        ]
    }

    fn workspace(&self, recipe: &Recipe, target_width: usize) -> Workspace {
        let (tensors, layers, n_rows) = (&self.tensors, recipe.layers(), recipe.n_steps() * BATCH);
        let n_params = layers.iter().map(Layer::n_params).sum();
        Workspace {
            order: tensors.zeros("order", recipe.rows.len()),
            pixels: tensors.zeros("epoch pixels", n_rows * N_PIXELS),
            targets: tensors.zeros("epoch targets", n_rows * target_width),
            target_width,
            activations: self.activations(layers, BATCH),
            dhidden: tensors.zeros("dhidden", BATCH * recipe.n_hidden),
            dlogits: tensors.zeros("dlogits", BATCH * N_CLASSES),
            grads: tensors.zeros("grads", n_params),
            moments: ["m", "v"].map(|label| tensors.zeros(label, n_params)),
            step_sizes: tensors.uniform_slots("step sizes", recipe.n_steps()),
            losses: tensors.zeros("losses", recipe.n_steps()),
        }
    }

    /// The epoch's pixels and targets, from all training rows.
    fn gathers(&self, n_rows: usize, all_targets: &wgpu::Buffer, workspace: &Workspace) -> [Call; 2] {
        let gather = |width, from: &wgpu::Buffer, to: &wgpu::Buffer| {
            self.kernels.gather(n_rows, width, workspace.order.slice(..), from.slice(..), to.slice(..))
        };
        [
            gather(N_PIXELS, &self.train_pixels, &workspace.pixels),
            gather(workspace.target_width, all_targets, &workspace.targets),
        ]
    }

    /// The k-th step of an epoch: its batch, its targets, its place among the losses.
    fn step(
        &self,
        k: usize,
        plan: &Plan,
        layers: [Layer; 2],
        params: &wgpu::Buffer,
        workspace: &Workspace,
    ) -> Result<Step> {
        let pixels = nth(&workspace.pixels, k, BATCH * N_PIXELS);
        let buffers = Buffers::new(workspace.activations.logits.slice(..))
            .targets(nth(&workspace.targets, k, BATCH * workspace.target_width))
            .values(nth(&workspace.losses, k, 1))
            .dlogits(workspace.dlogits.slice(..));
        let n_params = layers.iter().map(Layer::n_params).sum();
        let alpha = Tensors::uniform_slot(&workspace.step_sizes, k);
        let moments = workspace.moments.each_ref().map(|moment| moment.slice(..));
        Ok(Step {
            forward: self.forward(layers, params, pixels, &workspace.activations),
            loss: plan.bind(&buffers)?,
            backward: self.backward(layers, params, pixels, workspace),
            update: self.kernels.adam(n_params, alpha, workspace.grads.slice(..), moments, params.slice(..)),
        })
    }

    /// Classes of the held-out images, from logits of their own.
    fn predict(&self, layers: [Layer; 2], params: &wgpu::Buffer, predictions: &wgpu::Buffer) -> [Call; 4] {
        let out = self.activations(layers, self.n_held_out);
        let [first, relu, second] = self.forward(layers, params, self.held_out_pixels.slice(..), &out);
        let (logits, classes) = (out.logits.slice(..), predictions.slice(..));
        [first, relu, second, self.kernels.argmax(self.n_held_out, N_CLASSES, logits, classes)]
    }

    /// The logits of all training rows, `[n_train, N_CLASSES]`.
    fn teach(&self, teacher: &GpuNetwork) -> wgpu::Buffer {
        let out = self.activations(teacher.layers, self.n_train);
        let calls = self.forward(teacher.layers, &teacher.params, self.train_pixels.slice(..), &out);
        self.tensors.submit(&calls.each_ref());
        out.logits
    }
}

impl Trainer for GpuTrainer<'_> {
    type Network = GpuNetwork;

    fn network(&self, recipe: &Recipe, teacher: Option<&GpuNetwork>) -> Result<GpuNetwork> {
        let (layers, n_steps) = (recipe.layers(), recipe.n_steps());
        let (all_targets, target_width) = match teacher {
            Some(teacher) => (self.teach(teacher), N_CLASSES),
            None => (self.train_labels.clone(), 1),
        };
        let params = self.tensors.upload("params", &recipe.initial_params());
        let predictions = self.tensors.zeros("predictions", self.n_held_out);
        let workspace = self.workspace(recipe, target_width);
        // One plan for all steps; each binds its own slices.
        let plan = self.gpu.plan(recipe.loss.clone(), Pass::ForwardBackward, Shape::new(BATCH, N_CLASSES))?;
        let steps = (0..n_steps).map(|k| self.step(k, &plan, layers, &params, &workspace));
        Ok(GpuNetwork {
            layers,
            gathers: self.gathers(n_steps * BATCH, &all_targets, &workspace),
            steps: steps.collect::<Result<_>>()?,
            predict: self.predict(layers, &params, &predictions),
            params,
            workspace,
            predictions,
            t: 0,
        })
    }

    fn epoch(&self, network: &mut GpuNetwork, order: &[u32]) -> Result<Epoch> {
        let tensors = &self.tensors;
        tensors.queue.write_buffer(&network.workspace.order, 0, bytemuck::cast_slice(order));
        let step_sizes = network.next_step_sizes();
        tensors.queue.write_buffer(&network.workspace.step_sizes, 0, bytemuck::cast_slice(&step_sizes));

        let mut encoder = tensors.encoder();
        network.record(&mut encoder.begin_compute_pass(&Default::default()));
        tensors.queue.submit([encoder.finish()]);

        let results = tensors.read(&[&network.workspace.losses, &network.predictions])?;
        let loss = results[0].iter().sum::<f32>() / results[0].len() as f32;
        Ok(Epoch { loss, predictions: results[1].iter().map(|class| class.to_bits()).collect() })
    }
}

impl GpuNetwork {
    /// The step sizes of the epoch to come, each at the start of its slot.
    fn next_step_sizes(&mut self) -> Vec<f32> {
        let mut slots = vec![0.0; self.steps.len() * SLOT_WORDS];
        for slot in slots.chunks_exact_mut(SLOT_WORDS) {
            self.t += 1;
            slot[0] = step_size(self.t);
        }
        slots
    }

    fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        self.gathers.iter().for_each(|call| call.record(pass));
        for step in &self.steps {
            step.forward.iter().for_each(|call| call.record(pass));
            step.loss.record_in(pass);
            step.backward.iter().for_each(|call| call.record(pass));
            step.update.record(pass);
        }
        self.predict.iter().for_each(|call| call.record(pass));
    }
}

/// The k-th piece of `n` words. What the example's own kernels bind has to start at a multiple of 256 bytes, WebGPU's
/// default alignment; what surprisal binds may start at any word.
fn nth(buffer: &wgpu::Buffer, k: usize, n: usize) -> BufferSlice<'_> {
    buffer.slice((k * n) as u64 * WORD..((k + 1) * n) as u64 * WORD)
}
