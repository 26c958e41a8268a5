//! One network, trained on handwritten digits with burn's cross-entropy and with surprisal's, each in a process of its
//! own: both curves, time and peak memory side by side. Same weights and same batches; after the first epoch the
//! losses must agree within 1e-4.
//!
//! `cargo run --release --manifest-path burn/Cargo.toml --target-dir target/peers --example train`

mod digits;
mod network;
mod run;

use std::error::Error;

use run::Run;

fn main() -> Result<(), Box<dyn Error>> {
    match std::env::args().nth(1) {
        Some(name) => run::train(&name),
        None => compare(),
    }
}

fn compare() -> Result<(), Box<dyn Error>> {
    let [burn, ours] = network::Loss::NAMES.map(Run::of);
    let (burn, ours) = (burn?, ours?);
    println!("{}\n", ours.adapter);
    println!("|  | burn | surprisal |\n|---|---|---|");
    for (epoch, (burn, ours)) in burn.losses.iter().zip(&ours.losses).enumerate() {
        println!("| loss in epoch {} | {burn:.6} | {ours:.6} |", epoch + 1);
    }
    println!("| first epoch, s | {:.2} | {:.2} |", burn.first_epoch, ours.first_epoch);
    println!("| later epochs, ms each | {:.1} | {:.1} |", burn.later_epochs * 1e3, ours.later_epochs * 1e3);
    println!("| reserved by burn on the device, KiB | {} | {} |", burn.reserved_kib, ours.reserved_kib);
    println!("| peak of the process, MiB | {} | {} |", burn.peak_kib / 1024, ours.peak_kib / 1024);

    let apart = (burn.losses[0] - ours.losses[0]).abs();
    match apart <= 1e-4 {
        true => Ok(()),
        false => Err(format!("the losses of the first epoch are {apart:e} apart, more than 1e-4").into()),
    }
}
