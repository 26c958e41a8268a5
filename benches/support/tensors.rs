use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use surprisal::half::{bf16, f16};
use surprisal::wgpu::{self, BufferUsages};
use surprisal::{Shape, Storage};

/// Elements of a tensor that differ: as many as the reference does in a blink.
const DISTINCT: usize = 1 << 18;

/// Numbers of row state that any operation has, at most.
const STATE_WIDTH: usize = 8;

/// Bytes of what buffers are made of.
const WORD: usize = 4;

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

/// The rows that repeat, as numbers that can be stored.
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
    pub fn new(device: &wgpu::Device, n_rows: usize, n_classes: usize, storage: Storage) -> Tensors {
        let shape = Shape::new(n_rows, n_classes).storage(storage);
        let host = Rows::distinct(n_rows, n_classes).rounded(storage);
        let n_repeats = n_rows / host.n_rows;
        let tensor = |label, numbers: &[f32]| repeated(device, label, &stored(numbers, storage), n_repeats);
        let output = |label, bytes: usize| {
            let size = bytes.next_multiple_of(WORD) as u64;
            let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
            device.create_buffer(&wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false })
        };
        Tensors {
            shape,
            logits: tensor("logits", &host.logits),
            labels: repeated(device, "labels", bytemuck::cast_slice(&host.labels), n_repeats),
            probs: tensor("probs", &host.probs),
            log_probs: tensor("log_probs", &host.log_probs),
            others: tensor("others", &host.others),
            values: output("values", shape.n_elements() * storage.bytes()),
            dlogits: output("dlogits", shape.n_elements() * storage.bytes()),
            row_state: output("row_state", shape.n_rows * STATE_WIDTH * WORD),
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

    /// The nearest that can be stored.
    fn rounded(mut self, storage: Storage) -> Rows {
        for tensor in [&mut self.logits, &mut self.probs, &mut self.log_probs, &mut self.others] {
            tensor.iter_mut().for_each(|x| *x = storage.round((*x).into()));
        }
        self
    }
}

/// Numbers that can be stored, as they are then.
fn stored(numbers: &[f32], storage: Storage) -> Vec<u8> {
    let numbers = numbers.iter().copied();
    match storage {
        Storage::F32 => numbers.flat_map(f32::to_ne_bytes).collect(),
        Storage::Bf16 => numbers.flat_map(|x| bf16::from_f32(x).to_ne_bytes()).collect(),
        Storage::F16 => numbers.flat_map(|x| f16::from_f32(x).to_ne_bytes()).collect(),
    }
}

/// These bytes, over and over.
fn repeated(device: &wgpu::Device, label: &str, bytes: &[u8], n_repeats: usize) -> wgpu::Buffer {
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size: (bytes.len() * n_repeats).next_multiple_of(WORD) as u64,
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
