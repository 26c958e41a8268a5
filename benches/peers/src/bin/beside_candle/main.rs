//! surprisal's CPU engine beside candle, in one process, on the same logits, run by run in turns; and a copy of the
//! logits' bytes from memory to memory.
//!
//! Cross-entropy with class indices, mean, f32: loss and the logits' gradient, allocations included. Both losses, and
//! both gradients, are compared before anything is timed. Each row of the table is the median of `ROUNDS`.
//!
//! `RAYON_NUM_THREADS` is the number of threads of candle and the copy; `taskset -c 0` holds whatever takes part.
//!
//! In `benches/peers`: `cargo run --release --no-default-features --features candle --bin beside_candle`

mod copy;
mod ours;
mod theirs;

use std::error::Error;

use surprisal::Engine;
use surprisal_peers::{Batch, ROUNDS, SHAPES, agree, head, medians, row};

use copy::Copy;
use ours::Ours;
use theirs::Theirs;

fn main() -> Result<(), Box<dyn Error>> {
    println!(
        "surprisal: {}; threads of candle and the copy: {}",
        Engine::cpu().backend(),
        rayon::current_num_threads()
    );
    println!("loss and gradient; median of {ROUNDS}\n");
    head();
    for (n_rows, n_classes) in SHAPES {
        let batch = Batch::new(n_rows, n_classes);
        let ours = Ours::new(&batch);
        let theirs = Theirs::new(&batch)?;
        let mut copy = Copy::new(&batch);
        agree(&batch, ours.results(), "candle", theirs.results())?;
        let [candle, surprisal, copy] = medians([&mut || theirs.run(), &mut || ours.run(), &mut || copy.run()]);
        row(&batch, "candle", candle, copy);
        row(&batch, "surprisal", surprisal, copy);
    }
    Ok(())
}
