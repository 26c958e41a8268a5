//! The network in plain Rust; the loss is surprisal's on the CPU.

use surprisal::{Engine, Inputs, Loss, Pass, Shape};

use crate::{
    Result,
    data::{Digits, Images, N_CLASSES, N_PIXELS},
    network::{BATCH, BETA1, BETA2, EPSILON, Epoch, Layer, Recipe, Trainer, step_size},
};

pub struct CpuTrainer<'a> {
    engine: &'a Engine,
    digits: &'a Digits,
}

pub struct CpuNetwork {
    layers: [Layer; 2],
    loss: Loss,
    params: Vec<f32>,
    adam: Adam,
    /// `[n_train, N_CLASSES]`; none where the labels are the targets.
    teacher_logits: Option<Vec<f32>>,
}

/// What a forward pass leaves behind.
struct Activations {
    /// `[n_rows, n_hidden]`, after the ReLU.
    hidden: Vec<f32>,
    /// `[n_rows, N_CLASSES]`
    logits: Vec<f32>,
}

pub struct Adam {
    m: Vec<f32>,
    v: Vec<f32>,
    t: i32,
}

impl<'a> CpuTrainer<'a> {
    pub fn new(engine: &'a Engine, digits: &'a Digits) -> Self {
        CpuTrainer { engine, digits }
    }

    fn step(&self, network: &mut CpuNetwork, rows: &[u32]) -> Result<f32> {
        let pixels = gather(&self.digits.train.pixels, N_PIXELS, rows);
        let Activations { hidden, logits } = network.forward(&pixels);
        let (loss, dlogits) = self.loss(network, &logits, rows)?;

        let [first, second] = network.layers;
        let mut grads = vec![0.0; network.params.len()];
        backward_params(second, &hidden, &dlogits, &mut grads);
        let mut dhidden = backward_input(second, &network.params, &dlogits);
        relu_backward(&hidden, &mut dhidden);
        backward_params(first, &pixels, &dhidden, &mut grads);
        network.adam.update(&grads, &mut network.params);
        Ok(loss)
    }

    /// The batch's loss and its gradient `[BATCH, N_CLASSES]`.
    fn loss(&self, network: &CpuNetwork, logits: &[f32], rows: &[u32]) -> Result<(f32, Vec<f32>)> {
        let evaluate = |inputs| {
            self.engine.evaluate(network.loss.clone(), Pass::ForwardBackward, Shape::new(BATCH, N_CLASSES), inputs)
        };
        let output = match &network.teacher_logits {
            Some(teacher) => evaluate(Inputs::new(logits).targets(&gather(teacher, N_CLASSES, rows)))?,
            None => evaluate(Inputs::new(logits).targets(&gather(&self.digits.train.labels, 1, rows)))?,
        };
        Ok((output.values[0], output.dlogits.expect("a forward-backward pass gives a gradient")))
    }
}

impl Trainer for CpuTrainer<'_> {
    type Network = CpuNetwork;

    fn network(&self, recipe: &Recipe, teacher: Option<&CpuNetwork>) -> Result<CpuNetwork> {
        let params = recipe.initial_params();
        Ok(CpuNetwork {
            layers: recipe.layers(),
            loss: recipe.loss.clone(),
            adam: Adam::new(params.len()),
            params,
            teacher_logits: teacher.map(|teacher| teacher.forward(&self.digits.train.pixels).logits),
        })
    }

    fn epoch(&self, network: &mut CpuNetwork, order: &[u32]) -> Result<Epoch> {
        let losses = order.chunks_exact(BATCH).map(|rows| self.step(network, rows)).collect::<Result<Vec<f32>>>()?;
        let loss = losses.iter().sum::<f32>() / losses.len() as f32;
        Ok(Epoch { loss, predictions: network.predict(&self.digits.held_out) })
    }
}

impl CpuNetwork {
    fn forward(&self, pixels: &[f32]) -> Activations {
        let [first, second] = self.layers;
        let mut hidden = forward(first, &self.params, pixels);
        hidden.iter_mut().for_each(|h| *h = h.max(0.0));
        let logits = forward(second, &self.params, &hidden);
        Activations { hidden, logits }
    }

    /// The class with the greatest logit, the lowest one on ties: `[n]`.
    fn predict(&self, images: &Images) -> Vec<u32> {
        let argmax = |row: &[f32]| (1..N_CLASSES).fold(0, |best, j| if row[j] > row[best] { j } else { best }) as u32;
        self.forward(&images.pixels).logits.chunks_exact(N_CLASSES).map(argmax).collect()
    }
}

impl Adam {
    pub fn new(n_params: usize) -> Adam {
        Adam { m: vec![0.0; n_params], v: vec![0.0; n_params], t: 0 }
    }

    /// Kingma & Ba 2015, algorithm 1 in the order of its section 2.
    pub fn update(&mut self, grads: &[f32], params: &mut [f32]) {
        self.t += 1;
        let alpha = step_size(self.t);
        for (((g, m), v), param) in grads.iter().zip(&mut self.m).zip(&mut self.v).zip(params) {
            *m = BETA1 * *m + (1.0 - BETA1) * g;
            *v = BETA2 * *v + (1.0 - BETA2) * g * g;
            *param -= alpha * *m / (v.sqrt() + EPSILON);
        }
    }
}

/// Rows of a table `[_, width]` in this order: `[rows.len(), width]`.
fn gather<T: Copy>(table: &[T], width: usize, rows: &[u32]) -> Vec<T> {
    rows.iter().flat_map(|&row| &table[row as usize * width..][..width]).copied().collect()
}

/// y = x W^T + b: `[n, n_in]` to `[n, n_out]`.
pub fn forward(layer: Layer, params: &[f32], x: &[f32]) -> Vec<f32> {
    let mut y = Vec::with_capacity(x.len() / layer.n_in * layer.n_out);
    for x in x.chunks_exact(layer.n_in) {
        y.extend(rows(layer, params).map(|(weights, bias)| bias + dot(weights, x)));
    }
    y
}

/// dx = dy W: `[n, n_out]` to `[n, n_in]`.
pub fn backward_input(layer: Layer, params: &[f32], dy: &[f32]) -> Vec<f32> {
    let mut dx = vec![0.0; dy.len() / layer.n_out * layer.n_in];
    for (dy, dx) in dy.chunks_exact(layer.n_out).zip(dx.chunks_exact_mut(layer.n_in)) {
        for ((weights, _), dy) in rows(layer, params).zip(dy) {
            add_scaled(*dy, weights, dx);
        }
    }
    dx
}

/// Adds dy^T (x, 1) to the layer's part of `grads`, from x `[n, n_in]` and dy `[n, n_out]`.
pub fn backward_params(layer: Layer, x: &[f32], dy: &[f32], grads: &mut [f32]) {
    let grads = &mut grads[layer.first..][..layer.n_params()];
    for (x, dy) in x.chunks_exact(layer.n_in).zip(dy.chunks_exact(layer.n_out)) {
        for (grads, dy) in grads.chunks_exact_mut(layer.n_in + 1).zip(dy) {
            add_scaled(*dy, x, grads);
            grads[layer.n_in] += dy;
        }
    }
}

/// dh where h > 0, else 0, in place; h after the ReLU.
pub fn relu_backward(h: &[f32], dh: &mut [f32]) {
    h.iter().zip(dh).filter(|(h, _)| **h <= 0.0).for_each(|(_, dh)| *dh = 0.0);
}

/// The weights `[n_in]` and the bias of each output.
fn rows(layer: Layer, params: &[f32]) -> impl Iterator<Item = (&[f32], f32)> {
    params[layer.first..][..layer.n_params()].chunks_exact(layer.n_in + 1).map(move |row| {
        let (weights, bias) = row.split_at(layer.n_in);
        (weights, bias[0])
    })
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// y += a x, as far as x goes.
fn add_scaled(a: f32, x: &[f32], y: &mut [f32]) {
    y.iter_mut().zip(x).for_each(|(y, x)| *y += a * x);
}
