//! Trains a small network on handwritten digits with each loss, where the losses run: on the GPU if there is one, with
//! this example's own kernels around surprisal's, on the CPU otherwise. Only metrics come back.
//!
//! 1. Cross-entropy, on all training images.
//! 2. Focal loss against cross-entropy, with three digits made rare.
//! 3. A small student that sees few images and learns from the first network's logits for them (KL divergence), against
//!    one that learns from their labels: soft targets say more per image (Hinton et al. 2015, section 6).
//!
//! `cargo run --release --example train_digits`; with `SURPRISAL_ADAPTER=software` on a software GPU.

mod cpu;
mod data;
mod gpu;
mod kernels;
mod metrics;
mod network;
mod plot;
mod report;
mod tensors;

use std::{path::PathBuf, time::Instant};

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use surprisal::{CrossEntropy, Engine, Form, KlDivergence, Loss, SoftmaxFocal};

use crate::{
    cpu::CpuTrainer,
    data::{Digits, N_CLASSES},
    gpu::GpuTrainer,
    metrics::Metrics,
    network::{Recipe, Trainer},
    report::{Chapter, Run},
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Hidden units of the network, and of the student.
const HIDDEN: usize = 128;
const N_STUDENT: usize = 16;

/// The digits that are made rare for the focal loss.
const RARE: [i32; 3] = [3, 8, 9];
const ALL: [i32; N_CLASSES] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
/// A rare digit keeps one in so many of its training images; the students see as few of every digit.
const KEEP_ONE_IN: usize = 20;

/// Focus of the focal loss (Lin et al. 2017 settled on 2).
const GAMMA: f32 = 2.0;
/// What teacher and student logits are divided by (Hinton et al. 2015 tried 1 to 20).
const TEMPERATURE: f32 = 4.0;

/// Trains a small network on handwritten digits with each loss and draws the curves.
#[derive(Parser)]
struct Args {
    /// Decides the split, the initial weights and the order of the rows.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Passes over the training images, per network.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..))]
    epochs: u32,
    /// Where the curves are drawn.
    #[arg(long, default_value = "target/train_digits.svg")]
    out: PathBuf,
}

fn main() -> Result<()> {
    env_logger::init();
    let args = Args::parse();
    let digits = Digits::load(args.seed)?;
    let engine = Engine::new()?;
    let backend = engine.backend().to_string();
    println!("{} images to train on, {} held out; on {backend}", digits.train.len(), digits.held_out.len());

    let start = Instant::now();
    let chapters = match engine.gpu() {
        Some(gpu) => chapters(&GpuTrainer::new(gpu, &digits), &digits, &args)?,
        None => chapters(&CpuTrainer::new(&engine, &digits), &digits, &args)?,
    };
    let seconds = start.elapsed().as_secs_f64();

    report::print(&chapters, &RARE);
    println!("trained in {seconds:.1} s");
    let subtitle = format!("{} epochs, seed {}, on {backend}", args.epochs, args.seed);
    plot::draw(&args.out, &chapters, &digits.held_out, &subtitle)?;
    println!("curves: {}", args.out.display());
    Ok(())
}

/// What every run of the program shares.
struct Session<'a, T> {
    trainer: &'a T,
    digits: &'a Digits,
    args: &'a Args,
    bar: ProgressBar,
}

/// The whole program, on either backend.
fn chapters<T: Trainer>(trainer: &T, digits: &Digits, args: &Args) -> Result<Vec<Chapter>> {
    let session = Session { trainer, digits, args, bar: progress_bar(5 * u64::from(args.epochs))? };
    let (teacher, all_digits) = session.all_digits()?;
    let rare_digits = session.rare_digits()?;
    let students = session.students(&teacher, all_digits.runs[0].result().accuracy)?;
    session.bar.finish_and_clear();
    Ok(vec![all_digits, rare_digits, students])
}

impl<T: Trainer> Session<'_, T> {
    /// Cross-entropy on all images; the network is the teacher of the last chapter.
    fn all_digits(&self) -> Result<(T::Network, Chapter)> {
        let rows: Vec<u32> = (0..self.digits.train.len() as u32).collect();
        let (network, run) = self.train(self.recipe("cross-entropy", HIDDEN, CrossEntropy::new(), &rows), None)?;
        let setting = format!("64-{HIDDEN}-10 network, all {} images", rows.len());
        Ok((network, Chapter::accuracy("Cross-entropy", setting, vec![run])))
    }

    /// Focal loss against cross-entropy where three digits are rare in training, but not among the held-out images.
    fn rare_digits(&self) -> Result<Chapter> {
        let rows = self.digits.train.thinned(&RARE, KEEP_ONE_IN);
        let (_, without) = self.train(self.recipe("cross-entropy", HIDDEN, CrossEntropy::new(), &rows), None)?;
        let (_, with) = self.train(self.recipe("focal", HIDDEN, SoftmaxFocal::new(GAMMA), &rows), None)?;
        let [a, b, c] = RARE;
        let setting = format!("64-{HIDDEN}-10 network, gamma = {GAMMA}, 1 in {KEEP_ONE_IN} of the {a}s, {b}s and {c}s");
        Ok(Chapter::macro_f1("Focal loss, rare digits", setting, vec![without, with]))
    }

    /// A student told labels against one told the teacher's logits, for the same few images.
    fn students(&self, teacher: &T::Network, teacher_accuracy: f64) -> Result<Chapter> {
        let few = self.digits.train.thinned(&ALL, KEEP_ONE_IN);
        // Repeated, so that an epoch has as many steps as the others.
        let rows = few.repeat(KEEP_ONE_IN);
        let kl = KlDivergence::from_logits(Form::Logits).temperature(TEMPERATURE).scaled_by_t_squared();
        let (_, alone) = self.train(self.recipe("from labels", N_STUDENT, CrossEntropy::new(), &rows), None)?;
        let (_, taught) = self.train(self.recipe("from teacher", N_STUDENT, kl, &rows), Some(teacher))?;
        let setting = format!("64-{N_STUDENT}-10 student, {} images, KL at T = {TEMPERATURE}", few.len());
        let chapter = Chapter::accuracy("Distillation, few images", setting, vec![alone, taught]);
        Ok(chapter.reference("teacher", teacher_accuracy))
    }

    fn recipe(&self, name: &'static str, n_hidden: usize, loss: impl Into<Loss>, rows: &[u32]) -> Recipe {
        Recipe { name, n_hidden, loss: loss.into(), rows: rows.into(), seed: self.args.seed }
    }

    fn train(&self, recipe: Recipe, teacher: Option<&T::Network>) -> Result<(T::Network, Run)> {
        let mut network = self.trainer.network(&recipe, teacher)?;
        let mut run = Run { name: recipe.name, losses: Vec::new(), metrics: Vec::new() };
        for order in recipe.orders().take(self.args.epochs as usize) {
            let epoch = self.trainer.epoch(&mut network, &order)?;
            let metrics = Metrics::new(&self.digits.held_out.labels, &epoch.predictions);
            self.bar.set_message(format!("{}: loss {:.4}, accuracy {:.3}", run.name, epoch.loss, metrics.accuracy));
            self.bar.inc(1);
            run.losses.push(epoch.loss);
            run.metrics.push(metrics);
        }
        Ok((network, run))
    }
}

fn progress_bar(epochs: u64) -> Result<ProgressBar> {
    let style = ProgressStyle::with_template("{bar:32} {pos}/{len} epochs  {msg}")?;
    Ok(ProgressBar::new(epochs).with_style(style))
}
