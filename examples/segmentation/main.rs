//! Every pixel a class: a segmenter tells handwritten digits on a canvas from the paper and from each other. Its logits
//! are planes `[N, C, H*W]`, as convolutions leave them, and so is their gradient; nothing is transposed.
//!
//! Pixels at the edge of a stroke are void and do not count, and paper is most of the rest. Cross-entropy leaves that as
//! it is, class weights count the rarer classes more, and focal loss turns away from pixels that are right already. All
//! three take steps of one size, which suits each differently: their order here is no ranking.
//!
//! `cargo run --release --example segmentation`; with `SURPRISAL_ADAPTER=software` on a software GPU.

mod metrics;
mod picture;
mod scenes;
mod segmenter;

use std::path::Path;

use surprisal::{CrossEntropy, Engine, Inputs, Loss, Pass, Shape, SoftmaxFocal};

use crate::{
    metrics::Metrics,
    picture::Column,
    scenes::{N_CLASSES, N_PIXELS, Scenes, VOID},
    segmenter::{BATCH, N_EPOCHS, Run, Segmenter},
};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const N_TRAIN: usize = 32;
const N_HELD_OUT: usize = 12;
/// Focus of the focal loss (Lin et al. 2017 settled on 2).
const GAMMA: f32 = 2.0;
const OUT: &str = "target/segmentation.svg";

fn main() -> Result<()> {
    let engine = Engine::new()?;
    println!("on {}", engine.backend());
    let Some(gpu) = engine.gpu() else {
        println!("nothing to record on a CPU; SURPRISAL_ADAPTER=software takes a software GPU");
        return Ok(());
    };
    let [digits, held_out_digits] = scenes::digits()?;
    let (train, held_out) = (Scenes::draw(N_TRAIN, &digits, 0), Scenes::draw(N_HELD_OUT, &held_out_digits, 1));
    let frequencies = train.frequencies();
    println!("{N_TRAIN} scenes to learn from, {N_HELD_OUT} held out; {:.0}% is paper", 100.0 * frequencies[0]);

    let void = VOID as i32;
    // What every class has in all is the same then.
    let weights = frequencies.map(|frequency| 1.0 / (N_CLASSES as f32 * frequency));
    let losses: [(&str, Loss); 3] = [
        ("cross-entropy", CrossEntropy::new().ignore_index(void).into()),
        ("class weights", CrossEntropy::new().ignore_index(void).class_weights(weights).into()),
        ("focal loss", SoftmaxFocal::new(GAMMA).ignore_index(void).into()),
    ];
    let segmenter = Segmenter::new(gpu, &digits, &train, &held_out);
    let runs = losses.iter().map(|(_, loss)| segmenter.train(loss)).collect::<Result<Vec<_>>>()?;

    let mean_iou = |run: &Run, epoch: usize| Metrics::new(&held_out.labels, &run.epochs[epoch].predictions).mean_iou();
    println!();
    println!("loss, mean IoU  {}", losses.each_ref().map(|(name, _)| format!("{name:>15}")).join("  "));
    for epoch in 0..N_EPOCHS {
        let of_run = |run: &Run| format!("{:8.4} {:6.3}", run.epochs[epoch].loss, mean_iou(run, epoch));
        println!("epoch {:8}  {}", epoch + 1, runs.iter().map(of_run).collect::<Vec<_>>().join("  "));
    }
    let baseline = Metrics::of_background(&held_out.labels).mean_iou();
    println!("all paper       {baseline:15.3}");
    println!();

    let (mut columns, mut largest) = (Vec::new(), 0_f32);
    for ((name, loss), run) in losses.iter().zip(&runs) {
        largest = largest.max(distance_from_rows(&engine, loss, &train, run)?);
        let (mean_iou, predictions) = (mean_iou(run, N_EPOCHS - 1), &run.epochs[N_EPOCHS - 1].predictions);
        if mean_iou.is_nan() || mean_iou < 4.0 * baseline {
            return Err(format!("{name}: a mean IoU of {mean_iou:.3} is little more than paper's").into());
        }
        columns.push(Column { heading: format!("{name}, {mean_iou:.2}"), classes: predictions });
    }
    println!("gradients in planes are no more than {largest:.0e} from those in rows, relative to the largest");
    picture::draw(Path::new(OUT), &held_out, &columns)?;
    println!("picture: {OUT}");
    Ok(())
}

/// How far the last step's gradient is from that of the same logits, classes side by side, relative to the largest. Where
/// classes lie decides in which order they are added up, no more.
fn distance_from_rows(engine: &Engine, loss: &Loss, train: &Scenes, run: &Run) -> Result<f32> {
    let labels = &train.labels[(N_TRAIN - BATCH) * N_PIXELS..];
    let gradient = |shape, logits: &[f32]| -> Result<Vec<f32>> {
        let inputs = Inputs::new(logits).targets(labels);
        Ok(engine.evaluate(loss, Pass::ForwardBackward, shape, inputs)?.dlogits.expect("asked for"))
    };
    let planes = gradient(Shape::planes(BATCH, N_CLASSES, N_PIXELS), &run.logits)?;
    if planes != run.dlogits {
        return Err("what is recorded and what is evaluated should agree to the bit".into());
    }
    let rows = gradient(Shape::new(BATCH * N_PIXELS, N_CLASSES), &class_last(&run.logits))?;
    let largest = rows.iter().fold(0.0, |largest: f32, number| largest.max(number.abs()));
    let differences = class_last(&planes).into_iter().zip(&rows).map(|(a, b)| (a - b).abs());
    let distance = differences.fold(0.0, f32::max) / largest;
    if distance.is_nan() || distance > 1e-6 {
        return Err(format!("{distance:.0e} is more than rounding").into());
    }
    Ok(distance)
}

/// `[n, C, H*W]` to `[n, H*W, C]`.
fn class_last(planes: &[f32]) -> Vec<f32> {
    let slabs = planes.chunks_exact(N_CLASSES * N_PIXELS);
    let pixels = slabs.flat_map(|slab| (0..N_PIXELS).map(move |pixel| &slab[pixel..]));
    pixels.flat_map(|from| from.iter().step_by(N_PIXELS)).copied().collect()
}
