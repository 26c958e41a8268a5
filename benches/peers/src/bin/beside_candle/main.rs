//! surprisal's CPU engine beside candle, in one process, on the same logits, run by run in turns; and a copy of the
//! logits' bytes from memory to memory.
//!
//! Cross-entropy with class indices, mean, f32: loss and the logits' gradient, allocations included but where surprisal
//! writes into its last output. Both losses, and both gradients, are compared before anything is timed. Each row of the
//! table is the median of `ROUNDS`.
//!
//! `RAYON_NUM_THREADS` is the number of threads of all.
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
    println!("surprisal: {}; {} threads", Engine::cpu().backend(), rayon::current_num_threads());
    println!("loss and gradient; median of {ROUNDS}\n");
    head();
    for (n_rows, n_classes) in SHAPES {
        let batch = Batch::new(n_rows, n_classes);
        let [mut ours, mut afresh] = [(); 2].map(|()| Ours::new(&batch));
        let theirs = Theirs::new(&batch)?;
        let mut copy = Copy::new(&batch);
        agree(&batch, ours.results(), "candle", theirs.results())?;
        let [candle, afresh, reused, copy] =
            medians([&mut || theirs.run(), &mut || afresh.run_afresh(), &mut || ours.run(), &mut || copy.run()]);
        row(&batch, "candle", candle, copy);
        row(&batch, "surprisal", afresh, copy);
        row(&batch, "surprisal, into its last output", reused, copy);
    }
    Ok(())
}
