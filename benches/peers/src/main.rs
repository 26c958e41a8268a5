//! surprisal beside burn, in one process, on one device and queue, on the same logits, run by run in turns; and a copy
//! of the logits' bytes on that queue.
//!
//! Cross-entropy with class indices, mean, f32: loss and the logits' gradient, from the first call until the queue is
//! idle. burn has its fusion and autotune and is warmed up. Both losses, and both gradients, are compared before
//! anything is timed. Each row of the table is the median of `ROUNDS`.
//!
//! `cargo run --release --manifest-path benches/peers/Cargo.toml`

mod copy;
mod ours;
mod theirs;

use std::error::Error;
use std::time::{Duration, Instant};

use burn::tensor::Device;

use copy::Copy;
use ours::Ours;
use theirs::Theirs;

/// Rows and classes: a language model's step, a step on ImageNet, a table.
const SHAPES: [(usize, usize); 3] = [(1000, 32000), (4096, 1000), (65536, 10)];
/// burn tunes its kernels in the first few.
const WARM_UP: usize = 5;
const ROUNDS: usize = 9;

/// Logits of one shape and a label for each row.
struct Batch {
    n_rows: usize,
    n_classes: usize,
    logits: Vec<f32>,
    labels: Vec<i32>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let (device, setup) = Device::wgpu_options().init_with_setup()?;
    let info = setup.adapter.get_info();
    println!("{}, {} {}", info.name, info.driver, info.driver_info);
    println!("milliseconds, loss and gradient; median of {ROUNDS}\n");
    println!("| N x C | burn | surprisal | burn / surprisal | copy |\n|---|---|---|---|---|");
    for (n_rows, n_classes) in SHAPES {
        let batch = Batch::new(n_rows, n_classes);
        let ours = Ours::new(&setup, &batch)?;
        let theirs = Theirs::new(&device, &batch);
        let copy = Copy::new(&setup, &batch);
        agree(&ours, &theirs, &batch)?;
        for _ in 0..WARM_UP {
            (theirs.run(), ours.run(), copy.run());
        }
        let rounds = (0..ROUNDS).map(|_| [timed(|| theirs.run()), timed(|| ours.run()), timed(|| copy.run())]);
        let rounds: Vec<[Duration; 3]> = rounds.collect();
        let [burn, surprisal, copy] = [0, 1, 2].map(|i| median(rounds.iter().map(|round| round[i]).collect()));
        println!("| {n_rows} x {n_classes} | {burn:.2} | {surprisal:.2} | {:.1} | {copy:.2} |", burn / surprisal);
    }
    Ok(())
}

impl Batch {
    /// Logits of deviation about 2, in [-4, 4), by a hash of their index.
    fn new(n_rows: usize, n_classes: usize) -> Batch {
        let logits = (0..n_rows * n_classes).map(|i| hash(i as u32) as f32 / 2f32.powi(29) - 4.0).collect();
        let labels = (0..n_rows).map(|row| (hash(!(row as u32)) % n_classes as u32) as i32).collect();
        Batch { n_rows, n_classes, logits, labels }
    }
}

/// Chris Wellons' lowbias32.
fn hash(mut x: u32) -> u32 {
    x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// That both say the same of the batch: the loss to 1e-5 of itself, each gradient to 1e-5 of 1/N.
fn agree(ours: &Ours, theirs: &Theirs, batch: &Batch) -> Result<(), String> {
    let ((a, da), (b, db)) = (ours.results(), theirs.results());
    let apart =
        |a: f32, b: f32, scale: f32| (a - b).abs().partial_cmp(&(1e-5 * scale)).is_none_or(|order| order.is_gt());
    if apart(a, b, b) {
        return Err(format!("surprisal's loss is {a}, burn's {b}"));
    }
    let n = batch.n_rows as f32;
    match da.iter().zip(&db).position(|(&a, &b)| apart(a, b, 1.0 / n)) {
        Some(i) => Err(format!("at {i}, surprisal's gradient is {}, burn's {}", da[i], db[i])),
        None if da.len() == db.len() => Ok(()),
        None => Err(format!("surprisal has {} gradients, burn {}", da.len(), db.len())),
    }
}

fn timed(run: impl FnOnce()) -> Duration {
    let start = Instant::now();
    run();
    start.elapsed()
}

/// In milliseconds.
fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64() * 1e3
}
