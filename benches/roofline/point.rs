use std::fmt;
use std::time::Duration;

use surprisal::{Error, GpuEngine, Pass};

use crate::baselines::Baselines;
use crate::check::check;
use crate::gpu_time::Clock;
use crate::operations::{Case, Operation};
use crate::tensors::Tensors;

/// What one measurement lasts at least: a device's clock may tick in microseconds.
const MEASUREMENT: Duration = Duration::from_millis(10);

/// Where it runs, and what tells the time there.
pub struct Machine {
    pub engine: GpuEngine,
    pub clock: Clock,
    /// Whether the engine times its choices first.
    pub tunes: bool,
}

/// An operation at one number of classes.
pub struct Point {
    pub operation: &'static str,
    pub pass: Pass,
    pub n_classes: usize,
    n_rows: usize,
    /// Seconds.
    time: f64,
    /// Bytes of the floor.
    floor: u64,
    /// The floor's bytes per second, over those of the baseline.
    pub fraction: f64,
    kernel: String,
    lanes: u32,
    /// How much longer the engine's own choice takes, as a part of the time, where choices were timed.
    slower: Option<f64>,
}

impl Machine {
    /// The operation and its baselines, in turns.
    pub fn measure(&self, operation: &Operation, pass: Pass, tensors: &Tensors, rounds: usize) -> Result<Point, Error> {
        let case = Case { operation, pass, tensors };
        let tune = || self.engine.tune(&operation.loss, pass, tensors.shape);
        let tuning = self.tunes.then(tune).transpose()?;
        let slower = tuning.map(|tuning| tuning.time_before.as_secs_f64() / tuning.time.as_secs_f64() - 1.0);
        let bound = case.bind(&self.engine)?;
        check(&self.engine, &case, 0.0, |compute| bound.record_in(compute));
        let baselines = Baselines::new(self.engine.device(), &tensors.logits, &tensors.dlogits);
        let operation_time = || self.clock.time(|pass| bound.record_in(pass));
        let [of_operation, of_baseline] = [operation_time(), self.baseline(&baselines, pass, 1)].map(repeats);
        let (floor, mut times, mut fractions) = (case.floor(), Vec::new(), Vec::new());
        for _ in 0..rounds {
            let time = self.clock.time(|pass| (0..of_operation).for_each(|_| bound.record_in(pass))) / of_operation;
            let baseline = self.baseline(&baselines, pass, of_baseline) / of_baseline;
            let [time, baseline] = [time, baseline].map(|time| time.as_secs_f64());
            times.push(time);
            fractions.push((floor as f64 / time) / (2.0 * baselines.bytes() as f64 / baseline));
        }
        let plan = case.plan(&self.engine)?;
        let description = plan.describe(&case.buffers(&plan))?;
        let main = description.dispatches.iter().max_by_key(|dispatch| dispatch.bytes_read);
        let main = main.expect("every operation launches something");
        Ok(Point {
            operation: operation.name(),
            pass,
            n_classes: tensors.shape.n_classes,
            n_rows: tensors.shape.n_rows,
            time: median(times),
            floor,
            fraction: median(fractions),
            kernel: main.kernel.clone(),
            lanes: main.lanes,
            slower,
        })
    }

    /// `n` times what moves as many bytes as a copy of the logits fastest: a copy, or for a pass that only reads two
    /// reads.
    fn baseline(&self, baselines: &Baselines, pass: Pass, n: u32) -> Duration {
        let kernel = self.clock.time(|pass| (0..n).for_each(|_| baselines.copy(pass)));
        let buffer = self.clock.time_encoder(|encoder| (0..n).for_each(|_| baselines.copy_buffer(encoder)));
        let copy = kernel.min(buffer);
        match pass {
            Pass::Forward => copy.min(2 * self.clock.time(|pass| (0..n).for_each(|_| baselines.read(pass)))),
            _ => copy,
        }
    }
}

/// How often to do what takes so long.
fn repeats(time: Duration) -> u32 {
    (MEASUREMENT.as_secs_f64() / time.as_secs_f64().max(1e-6)).ceil().clamp(1.0, 1e4) as u32
}

fn median(mut numbers: Vec<f64>) -> f64 {
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

impl Point {
    pub const HEADINGS: &'static str =
        "| operation | pass | C | N | ms | GB/s | of the memory's | kernel | lanes a row | untuned slower by |
|---|---|---|---|---|---|---|---|---|---|";

    pub fn pass_name(&self) -> &'static str {
        if self.pass == Pass::Forward { "loss" } else { "loss and gradient" }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Point { operation, n_classes, n_rows, time, kernel, lanes, slower, .. } = self;
        let (ms, speed, percent) = (time * 1e3, self.floor as f64 / time / 1e9, self.fraction * 100.0);
        let pass = self.pass_name();
        write!(f, "| {operation} | {pass} | {n_classes} | {n_rows} | {ms:.3} | {speed:.2} | {percent:.1} % ")?;
        match slower {
            Some(slower) => write!(f, "| {kernel} | {lanes} | {:.0} % |", slower * 100.0),
            None => write!(f, "| {kernel} | {lanes} | |"),
        }
    }
}
