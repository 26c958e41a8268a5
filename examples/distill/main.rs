//! Knowledge distillation from what a teacher left on file: a small language model learns from little text, once from
//! its labels alone and once from a large model's words on each of its characters as well, of which the likeliest are
//! stored. Cross-entropy, divergence and their gradient are one loss, and a training is one submission.
//!
//! The teacher counts characters and has read almost fifty times as much, so that its probabilities say more of a
//! position than the one character that came there. Of a temperature no good comes here: the last student, taught at
//! T = 2, has a greater held-out loss than the one without a teacher.
//!
//! `cargo run --release --example distill`; with `SURPRISAL_ADAPTER=software` on a software GPU.

mod student;
mod teacher;
mod text;

use surprisal::{CrossEntropy, Distillation, Engine, Form, GpuEngine, Inputs, KlDivergence, Pass, Rest, Shape};

use crate::{
    student::{N_PARAMS, Run, Student, loss_and_accuracy},
    teacher::{Teacher, TopK},
    text::{IGNORED, N_CLASSES, Rows, Text},
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Characters of which the teacher's probability is kept.
const K: usize = 16;
/// Keeps the logits' scale, which neither softmax minds.
const Z_LOSS: f32 = 1e-4;
/// Of labels and teacher, and the temperature at which teacher and student are compared.
const STUDENTS: [(&str, [f32; 2], f32); 3] =
    [("labels alone", [1.0, 0.0], 1.0), ("with a teacher", [0.1, 0.9], 1.0), ("... at T = 2", [0.1, 0.9], 2.0)];
const REPORT_EVERY: usize = 3;

fn main() -> Result<()> {
    let engine = Engine::new()?;
    println!("on {}", engine.backend());
    let Some(gpu) = engine.gpu() else {
        println!("nothing to record on a CPU; SURPRISAL_ADAPTER=software takes a software GPU");
        return Ok(());
    };
    let text = Text::load()?;
    let teacher = Teacher::train(&text.teacher);
    let (rows, held_out) = (Rows::new(&text.transfer), Rows::new(&text.held_out));
    println!("{} characters to learn from, {} held out", rows.len(), held_out.len());
    println!("a student has {N_PARAMS} parameters, the teacher {} counts", teacher.n_counts());

    let log_probs = teacher.log_probs(&text.transfer);
    let mut runs = Vec::new();
    for (name, weights, temperature) in STUDENTS {
        let stored = TopK::of(&log_probs, K, temperature);
        let run = learn(gpu, weights, temperature, &rows, &stored, &held_out)?;
        print_epochs(name, &run);
        runs.push(run);
    }

    let log_probs = teacher.log_probs(&text.held_out);
    let (shape, inputs) = (Shape::new(held_out.len(), N_CLASSES), Inputs::new(&log_probs).targets(&held_out.labels));
    let output = engine.evaluate(loss_and_accuracy(), Pass::Forward, shape, inputs)?;
    let accuracy = output.side.and_then(|side| side.top_1).expect("asked for")[0];
    println!();
    println!("held-out text      nats per character  accuracy");
    println!("{:18} {:19.3} {accuracy:9.3}", "the teacher", output.values[0]);
    for ((name, ..), run) in STUDENTS.iter().zip(&runs) {
        println!("{name:18} {:19.3} {:9.3}", run.result().held_out, run.result().accuracy);
    }

    let best_alone = runs[0].epochs.iter().map(|epoch| epoch.held_out).fold(f32::INFINITY, f32::min);
    if runs[1].result().held_out >= best_alone {
        return Err(format!("the teacher is of no use: without it, {best_alone} nats at best").into());
    }
    Ok(())
}

/// A student's training, its last step checked against the CPU.
fn learn(
    gpu: &GpuEngine,
    [hard_weight, soft_weight]: [f32; 2],
    temperature: f32,
    rows: &Rows,
    teacher: &TopK,
    held_out: &Rows,
) -> Result<Run> {
    let hard = CrossEntropy::new().ignore_index(IGNORED).z_loss(Z_LOSS);
    let soft = KlDivergence::from_logits(Form::Probs)
        .top_k(teacher.k, Rest::Spread)
        .temperature(temperature)
        .scaled_by_t_squared();
    let loss = Distillation::new(hard, soft).weights(hard_weight, soft_weight);
    let run = Student::new(gpu, &loss, rows, teacher, held_out)?.train()?;
    let distance = run.distance_from_cpu(&loss, rows, teacher)?;
    if distance.is_nan() || distance > 1e-5 {
        return Err(format!("loss and gradient are {distance:.0e} from the CPU's").into());
    }
    Ok(run)
}

fn print_epochs(name: &str, run: &Run) {
    println!();
    println!("{name:18}  hard part  soft part    z-loss  held out");
    for (k, epoch) in run.epochs.iter().enumerate().skip(REPORT_EVERY - 1).step_by(REPORT_EVERY) {
        let (hard, soft, z_loss) = (epoch.hard, epoch.soft, epoch.z_loss);
        println!("epoch {:12}  {hard:9.4}  {soft:9.4}  {z_loss:8.4}  {:8.4}", k + 1, epoch.held_out);
    }
}
