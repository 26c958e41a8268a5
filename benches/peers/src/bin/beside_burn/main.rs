//! surprisal beside burn, in one process, on one device and queue, on the same logits, run by run in turns; and a copy
//! of the logits' bytes on that queue.
//!
//! Cross-entropy with class indices, mean, f32: loss and the logits' gradient, from the first call until the queue is
//! idle. burn has its fusion and autotune and is warmed up. Both losses, and both gradients, are compared before
//! anything is timed. Each row of the table is the median of `ROUNDS`.
//!
//! In `benches/peers`: `cargo run --release --no-default-features --features burn --bin beside_burn`

mod copy;
mod ours;
mod theirs;

use std::error::Error;

use burn::tensor::Device;
use surprisal_peers::{Batch, ROUNDS, SHAPES, agree, head, medians, row};

use copy::Copy;
use ours::Ours;
use theirs::Theirs;

fn main() -> Result<(), Box<dyn Error>> {
    let (device, setup) = Device::wgpu_options().init_with_setup()?;
    let info = setup.adapter.get_info();
    println!("{}, {} {}", info.name, info.driver, info.driver_info);
    println!("loss and gradient; median of {ROUNDS}\n");
    head();
    for (n_rows, n_classes) in SHAPES {
        let batch = Batch::new(n_rows, n_classes);
        let ours = Ours::new(&setup, &batch)?;
        let theirs = Theirs::new(&device, &batch);
        let copy = Copy::new(&setup, &batch);
        agree(&batch, ours.results(), "burn", theirs.results())?;
        let [burn, surprisal, copy] = medians([&mut || theirs.run(), &mut || ours.run(), &mut || copy.run()]);
        row(&batch, "burn", burn, copy);
        row(&batch, "surprisal", surprisal, copy);
    }
    Ok(())
}
