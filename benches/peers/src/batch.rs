/// Rows and classes: a language model's step, a step on ImageNet, a table.
pub const SHAPES: [(usize, usize); 3] = [(1000, 32000), (4096, 1000), (65536, 10)];

/// Logits of one shape and a label for each row.
pub struct Batch {
    pub n_rows: usize,
    pub n_classes: usize,
    pub logits: Vec<f32>,
    pub labels: Vec<i32>,
}

impl Batch {
    /// Logits of deviation about 2, in [-4, 4), by a hash of their index.
    pub fn new(n_rows: usize, n_classes: usize) -> Batch {
        let logits = (0..n_rows * n_classes).map(|i| hash(i as u32) as f32 / 2f32.powi(29) - 4.0).collect();
        let labels = (0..n_rows).map(|row| (hash(!(row as u32)) % n_classes as u32) as i32).collect();
        Batch { n_rows, n_classes, logits, labels }
    }

    /// Bytes that loss and gradient cannot do without: logits and labels read once, gradient and loss written once.
    pub fn floor(&self) -> usize {
        self.copied() + size_of_val(&*self.labels) + size_of::<f32>()
    }

    /// Bytes that a copy of the logits reads and writes.
    pub fn copied(&self) -> usize {
        2 * size_of_val(&*self.logits)
    }
}

/// Chris Wellons' lowbias32.
fn hash(mut x: u32) -> u32 {
    x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}
