use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use surprisal::Shape;
use surprisal::wgpu::{self, BufferUsages};

/// Elements of a tensor that differ: as many as the reference does in a blink.
const DISTINCT: usize = 1 << 18;

/// Numbers of row state that any operation has, at most.
const STATE_WIDTH: usize = 8;

/// The device's tensors of one shape, `[N, C]` but for the labels `[N]`.
///
/// They repeat a few rows, so that the reference, which is slow, tells what every row of a large result must be: a mean
/// over the batch is the mean over these rows.
pub struct Tensors {
    pub shape: Shape,
    pub host: Rows,
    pub logits: wgpu::Buffer,
    pub labels: wgpu::Buffer,
    pub probs: wgpu::Buffer,
    pub log_probs: wgpu::Buffer,
    /// A teacher's logits, or an upstream gradient.
    pub others: wgpu::Buffer,
    /// Outputs: large enough for a value per class.
    pub values: wgpu::Buffer,
    pub dlogits: wgpu::Buffer,
    /// Of whichever operation was bound last.
    pub row_state: wgpu::Buffer,
}

/// The rows that repeat.
pub struct Rows {
    /// A power of two.
    pub n_rows: usize,
    pub logits: Vec<f32>,
    pub labels: Vec<i32>,
    pub probs: Vec<f32>,
    pub log_probs: Vec<f32>,
    pub others: Vec<f32>,
}

impl Tensors {
    /// `n_rows` is a power of two.
    pub fn new(device: &wgpu::Device, n_rows: usize, n_classes: usize) -> Tensors {
        let shape = Shape::new(n_rows, n_classes);
        let host = Rows::distinct(n_rows, n_classes);
        let n_repeats = n_rows / host.n_rows;
        let output = |label, len: usize| {
            let size = (len * size_of::<f32>()) as u64;
            let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
            device.create_buffer(&wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false })
        };
        Tensors {
            shape,
            logits: repeated(device, "logits", &host.logits, n_repeats),
            labels: repeated(device, "labels", &host.labels, n_repeats),
            probs: repeated(device, "probs", &host.probs, n_repeats),
            log_probs: repeated(device, "log_probs", &host.log_probs, n_repeats),
            others: repeated(device, "others", &host.others, n_repeats),
            values: output("values", shape.n_elements()),
            dlogits: output("dlogits", shape.n_elements()),
            row_state: output("row_state", shape.n_rows * STATE_WIDTH),
            host,
        }
    }
}

impl Rows {
    /// As many rows that differ as the reference does in a blink, of `n_rows` that are wanted.
    pub fn distinct(n_rows: usize, n_classes: usize) -> Rows {
        Rows::random((1 << (DISTINCT / n_classes).max(1).ilog2()).min(n_rows), n_classes)
    }

    fn random(n_rows: usize, n_classes: usize) -> Rows {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let mut uniform =
            |low, high| -> Vec<f32> { (0..n_rows * n_classes).map(|_| rng.random_range(low..high)).collect() };
        let (logits, mut probs, others) = (uniform(-6.0, 6.0), uniform(0.0, 1.0), uniform(-2.0, 2.0));
        for row in probs.chunks_mut(n_classes) {
            let mass: f32 = row.iter().sum();
            row.iter_mut().for_each(|p| *p /= mass);
        }
        let labels = (0..n_rows).map(|_| rng.random_range(0..n_classes as i32)).collect();
        let log_probs = probs.iter().map(|p| p.ln()).collect();
        Rows { n_rows, logits, labels, probs, log_probs, others }
    }
}

/// These values, over and over.
fn repeated<T: bytemuck::NoUninit>(device: &wgpu::Device, label: &str, values: &[T], n_repeats: usize) -> wgpu::Buffer {
    let bytes: &[u8] = bytemuck::cast_slice(values);
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size: (bytes.len() * n_repeats) as u64,
        usage: BufferUsages::STORAGE | BufferUsages::COPY_SRC,
        mapped_at_creation: true,
    });
    let mut view = buffer.get_mapped_range_mut(..).expect("mapped at creation");
    for k in 0..n_repeats {
        view.slice(k * bytes.len()..(k + 1) * bytes.len()).copy_from_slice(bytes);
    }
    drop(view);
    buffer.unmap();
    buffer
}
