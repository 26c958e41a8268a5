//! Measures two language models on a stream of batches, as one would any network's logits: surprisal of every character
//! in bits, perplexity, entropy and accuracy from one pass, and how far the models are from each other.
//!
//! The models count characters, so that they are trained in a moment and their probabilities are known: whatever the
//! engine adds up is checked against plain f64, and a difference is an error. Several batches are under way at a time,
//! so that the next ones' logits are made while the GPU works.
//!
//! `cargo run --release --example evaluate`; with `SURPRISAL_ADAPTER=software` on a software GPU.

mod batch;
mod evaluation;
mod histogram;
mod ngram;
mod report;
mod sums;
mod text;

use std::{path::PathBuf, time::Instant};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use surprisal::Engine;

use crate::{batch::Batch, evaluation::Evaluation, ngram::Ngram, sums::Sums, text::Text};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// How many characters each model looks back.
const ORDERS: [usize; 2] = [2, 5];

/// Measures two language models of characters and draws how their surprisal is distributed.
#[derive(Parser)]
struct Args {
    /// Positions in a batch.
    #[arg(long, default_value_t = 256, value_parser = positive)]
    batch: usize,
    /// Batches under way at a time.
    #[arg(long, default_value_t = 4, value_parser = positive)]
    under_way: usize,
    /// Where the histogram is drawn.
    #[arg(long, default_value = "target/evaluate.svg")]
    out: PathBuf,
}

fn main() -> Result<()> {
    env_logger::init();
    let args = Args::parse();
    let text = Text::load()?;
    let engine = Engine::new()?;
    let backend = engine.backend().to_string();
    let (n_learned, n_held_out, n_classes) = (text.learned().len(), text.held_out().len(), text.alphabet.len());
    println!("{n_learned} characters to learn from, {n_held_out} held out, {n_classes} different; on {backend}");
    let models = ORDERS.map(|order| Ngram::train(text.learned(), n_classes, order));

    let start = Instant::now();
    let bar = progress_bar(n_held_out as u64)?;
    let mut evaluation = Evaluation::new(&engine, args.under_way);
    let mut by_definition = [Sums::default(); 2];
    for first in text.held_out().step_by(args.batch) {
        let batch = Batch::predict(&models, &text, first..(first + args.batch).min(text.held_out().end));
        evaluation.push(&batch)?;
        by_definition.iter_mut().zip(batch.by_definition).for_each(|(sums, more)| *sums += more);
        bar.inc(batch.targets.len() as u64);
    }
    let scores = evaluation.finish()?;
    bar.finish_and_clear();
    let seconds = start.elapsed().as_secs_f64();

    let mut largest = 0.0;
    for ((model, score), by_definition) in models.iter().zip(&scores).zip(&by_definition) {
        let checked = score.sums.check(by_definition).map_err(|error| format!("{}: {error}", report::name(model)))?;
        largest = checked.max(largest);
    }
    report::print_table(&models, &scores);
    report::print_surprises(&text, &scores);
    println!("evaluated in {seconds:.1} s; every sum agrees with plain f64 to {largest:.0e}");
    let subtitle = format!("{n_held_out} held-out characters, on {backend}");
    histogram::draw(&args.out, &models, &scores, &subtitle)?;
    println!("histogram: {}", args.out.display());
    Ok(())
}

fn positive(argument: &str) -> std::result::Result<usize, String> {
    argument.parse().ok().filter(|&number| number > 0).ok_or_else(|| "expected a number above 0".into())
}

fn progress_bar(characters: u64) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:32} {pos}/{len} characters  {per_sec}")?;
    Ok(ProgressBar::new(characters).with_style(style))
}
