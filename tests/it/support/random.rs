use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Numbers that are the same on every run and every platform.
pub struct Random(ChaCha8Rng);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(ChaCha8Rng::seed_from_u64(seed))
    }

    /// `n` words.
    pub fn bits(&mut self, n: usize) -> Vec<u32> {
        (0..n).map(|_| self.0.random_range(0..=u32::MAX)).collect()
    }

    /// `n` multiples of 1/256 in `low..=high`: sums and differences of a few are exact in f32.
    pub fn grid(&mut self, n: usize, low: i32, high: i32) -> Vec<f32> {
        (0..n).map(|_| self.0.random_range(low * 256..=high * 256) as f32 / 256.0).collect()
    }

    /// `n` numbers about 0 with this standard deviation (Box & Muller 1958).
    pub fn normal(&mut self, n: usize, deviation: f64) -> Vec<f32> {
        let mut number = || {
            let radius = (-2.0 * (1.0 - self.0.random_range(0.0..1.0_f64)).ln()).sqrt();
            (deviation * radius * (std::f64::consts::TAU * self.0.random_range(0.0..1.0_f64)).cos()) as f32
        };
        (0..n).map(|_| number()).collect()
    }

    /// `n_rows` rows of `stride` numbers in `1/64..=1` that sum to 1 each, up to the rounding of f32.
    pub fn distributions(&mut self, n_rows: usize, stride: usize) -> Vec<f32> {
        let row = |random: &mut Self| {
            let masses: Vec<f32> = (0..stride).map(|_| random.0.random_range(4..=64) as f32).collect();
            let total: f32 = masses.iter().sum();
            masses.into_iter().map(move |mass| mass / total)
        };
        (0..n_rows).flat_map(|_| row(self).collect::<Vec<_>>()).collect()
    }
}
