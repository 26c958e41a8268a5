//! How near to the memory's speed loss and gradient come, class count by class count from 2 to 262144.
//!
//! The bytes of an operation's floor (each input tensor read once, each output written once) per second, over those of
//! the better of a buffer copy and a copy kernel; for a forward pass, which writes next to nothing, over those of a
//! kernel that only reads if that is better still. Each ratio is the median of several rounds in which they take turns
//! on one queue; results are held against the f64 reference before. Printed as a table, with the kernel the plan chose,
//! and drawn.
//!
//! `cargo bench --bench roofline`, `cargo bench --bench roofline -- --operations kl_divergence --mib 256`, or `--storage
//! bf16`; with `SURPRISAL_ADAPTER=software` on a software GPU. With `--tune` the engine times its choices first, and the
//! table says how much slower its own would have been.

mod baselines;
#[path = "../support/check.rs"]
mod check;
#[path = "../support/device.rs"]
mod device;
#[path = "../support/gpu_time.rs"]
mod gpu_time;
#[path = "../support/mode.rs"]
mod mode;
#[path = "../support/operations.rs"]
mod operations;
mod plot;
mod point;
#[path = "../support/tensors.rs"]
mod tensors;

use std::path::PathBuf;

use clap::Parser;
use surprisal::{Pass, Storage};

use gpu_time::Clock;
use operations::Operation;
use point::{Machine, Point};
use tensors::Tensors;

/// Powers of two and their neighbours, where rows stop to be whole vectors.
const EXPONENTS: std::ops::RangeInclusive<u32> = 1..=18;

/// Fractions of the memory's speed, by number of classes.
#[derive(Parser)]
struct Args {
    /// Operations, separated by commas, by the names that `cargo bench --bench losses` has for them.
    #[arg(long, value_delimiter = ',', default_value = "cross_entropy")]
    operations: Vec<String>,
    /// Least and most classes.
    #[arg(long, num_args = 2, default_values_t = [2, 262_145])]
    classes: Vec<usize>,
    /// How tensors are stored: f32, bf16 or f16.
    #[arg(long, default_value = "f32", value_parser = storage)]
    storage: Storage,
    /// MiB of logits: several times the last cache, or it is the cache's speed that counts.
    #[arg(long, default_value_t = 64)]
    mib: usize,
    /// Lets the engine time its choices first, and says what that gained.
    #[arg(long)]
    tune: bool,
    /// Where the plot goes.
    #[arg(long, default_value = "target/roofline.svg")]
    out: PathBuf,
    /// Cargo's, for benchmarks.
    #[arg(long, hide = true)]
    bench: bool,
    /// Runs everything once, small, and draws nothing.
    #[arg(long)]
    test: bool,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let operations = chosen(&args.operations)?;
    let Some(engine) = device::open() else { return Ok(()) };
    let machine = Machine { clock: Clock::new(engine.device(), engine.queue()), engine, tunes: args.tune };
    println!("{}\n", machine.clock);
    let (n_bytes, rounds) = if mode::is_test() { (1 << 16, 1) } else { (args.mib << 20, 5) };
    let n_elements = n_bytes / args.storage.bytes();
    println!("{}", Point::HEADINGS);
    let mut points = Vec::new();
    for n_classes in class_counts(&args.classes) {
        // Rows repeat, a power of two of them.
        let n_rows = 1 << (n_elements / n_classes).max(1).ilog2();
        let tensors = Tensors::new(machine.engine.device(), n_rows, n_classes, args.storage);
        for operation in &operations {
            for pass in [Pass::Forward, Pass::ForwardBackward] {
                let point = machine.measure(operation, pass, &tensors, rounds)?;
                println!("{point}");
                points.push(point);
            }
        }
    }
    if !mode::is_test() {
        plot::draw(&args.out, &points, &machine.engine.backend().to_string())?;
        println!("\n{}", args.out.display());
    }
    Ok(())
}

/// The operations of these names; which there are, if one is not.
fn chosen(names: &[String]) -> Result<Vec<Operation>, String> {
    let known = || operations::all().into_iter();
    let missing = names.iter().find(|name| known().all(|operation| operation.name() != *name));
    match missing {
        Some(name) => {
            let all: Vec<_> = known().map(|operation| operation.name()).collect();
            Err(format!("expected one of {}, found {name}", all.join(", ")))
        }
        None => Ok(known().filter(|operation| names.iter().any(|name| operation.name() == name)).collect()),
    }
}

fn storage(name: &str) -> Result<Storage, String> {
    let known = [Storage::F32, Storage::Bf16, Storage::F16];
    known
        .into_iter()
        .find(|storage| storage.name() == name)
        .ok_or_else(|| format!("expected f32, bf16 or f16, found {name}"))
}

fn class_counts(bounds: &[usize]) -> impl Iterator<Item = usize> {
    let all = EXPONENTS.flat_map(|k| [1 << k, (1 << k) + 1]);
    all.filter(move |c| bounds.iter().min() <= Some(c) && Some(c) <= bounds.iter().max())
}
