//! What both backends share: the network's shape and initial weights, the recipe of a run, Adam's numbers.

use rand::{RngExt, SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use surprisal::Loss;

use crate::{
    Result,
    data::{N_CLASSES, N_PIXELS},
};

/// Rows in a step. A last batch with fewer is left out; the next epoch's order is another.
pub const BATCH: usize = 64;

const LEARNING_RATE: f32 = 1e-3;
pub const BETA1: f32 = 0.9;
pub const BETA2: f32 = 0.999;
pub const EPSILON: f32 = 1e-8;

/// Trains networks where it computes.
pub trait Trainer {
    /// A network, its optimiser and its training rows.
    type Network;

    /// A network with initial weights. Its targets are the labels or, with a teacher, that network's logits.
    fn network(&self, recipe: &Recipe, teacher: Option<&Self::Network>) -> Result<Self::Network>;

    /// Takes one step per batch of these training rows, then predicts the held-out images.
    fn epoch(&self, network: &mut Self::Network, order: &[u32]) -> Result<Epoch>;
}

/// What comes back from an epoch.
pub struct Epoch {
    /// The mean of the steps' losses.
    pub loss: f32,
    /// `[n_held_out]`, classes.
    pub predictions: Vec<u32>,
}

/// One run: which network learns what from which rows.
#[derive(Clone)]
pub struct Recipe {
    /// What the curve is called.
    pub name: &'static str,
    pub n_hidden: usize,
    pub loss: Loss,
    /// Training rows.
    pub rows: Vec<u32>,
    pub seed: u64,
}

/// A linear layer: parameters `[n_out, n_in + 1]`, the last column the bias, from `first` on in the network's.
#[derive(Clone, Copy)]
pub struct Layer {
    pub n_in: usize,
    pub n_out: usize,
    pub first: usize,
}

impl Layer {
    pub fn n_params(&self) -> usize {
        self.n_out * (self.n_in + 1)
    }
}

impl Recipe {
    /// Pixels to hidden units, hidden units to logits.
    pub fn layers(&self) -> [Layer; 2] {
        let hidden = Layer { n_in: N_PIXELS, n_out: self.n_hidden, first: 0 };
        [hidden, Layer { n_in: self.n_hidden, n_out: N_CLASSES, first: hidden.n_params() }]
    }

    pub fn n_steps(&self) -> usize {
        self.rows.len() / BATCH
    }

    /// Weights uniform with variance 2 / n_in (He et al. 2015), biases 0; the same for the same seed and shape.
    pub fn initial_params(&self) -> Vec<f32> {
        let mut rng = self.rng(1);
        let mut params = Vec::new();
        for layer in self.layers() {
            let bound = (6.0 / layer.n_in as f32).sqrt();
            for _ in 0..layer.n_out {
                params.extend((0..layer.n_in).map(|_| rng.random_range(-bound..bound)));
                params.push(0.0);
            }
        }
        params
    }

    /// The rows in a new order each epoch: every run of a seed and a row set sees the same ones.
    pub fn orders(&self) -> impl Iterator<Item = Vec<u32>> {
        let (mut rng, mut rows) = (self.rng(2), self.rows.clone());
        std::iter::repeat_with(move || {
            rows.shuffle(&mut rng);
            rows.clone()
        })
    }

    fn rng(&self, stream: u64) -> ChaCha8Rng {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(stream);
        rng
    }
}

/// Adam's step size at step t = 1, 2, ..: the learning rate with both bias corrections in it.
pub fn step_size(t: i32) -> f32 {
    LEARNING_RATE * (1.0 - BETA2.powi(t)).sqrt() / (1.0 - BETA1.powi(t))
}
