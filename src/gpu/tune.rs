use std::fmt;
use std::time::{Duration, Instant};

use super::bind::schedule_for;
use super::caps::{WORKGROUP_SIZE, has_subgroups};
use super::guard::{guarded, polled};
use super::pending::{take, upload};
use super::pool::Pooled;
use super::{Bound, Buffers, GpuEngine, Options, Plan, slices};
use crate::kernel::{Slot, Variant};
use crate::plan::{Caps, Schedule, suited};
use crate::{Error, LabelStorage, Problem};

/// Submissions of each candidate, in turns; the fastest counts.
const ROUNDS: usize = 7;
/// What a submission takes at least, by as many calls as that needs, up to a limit: less would be timed with what a
/// submission costs by itself.
const LONG_ENOUGH: Duration = Duration::from_millis(2);
const MOST_CALLS: u32 = 256;
/// A candidate has to take less than this part of the time: fewer changes for the sake of noise.
const BETTER: f64 = 0.97;

/// What [`crate::Engine::tune`] found.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub struct Tuning {
    /// How lanes share what they found.
    pub variant: Variant,
    /// Lanes of a workgroup.
    pub workgroup_size: u32,
    /// Lanes that share a row.
    pub lanes: u32,
    /// What a call takes so.
    pub time: Duration,
    /// What it took as the engine would have had it.
    pub time_before: Duration,
}

impl fmt::Display for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tuning { variant, workgroup_size, lanes, time, time_before } = self;
        let variant = format!("{variant:?}").to_lowercase();
        write!(f, "{variant}, {workgroup_size} lanes, {lanes} to a row: ")?;
        write!(f, "{:.0} us instead of {:.0} us", time.as_secs_f64() * 1e6, time_before.as_secs_f64() * 1e6)
    }
}

/// A way to lay out the work, and the time it takes.
struct Candidate {
    caps: Caps,
    schedule: Schedule,
    bound: Bound,
    time: Duration,
}

impl Candidate {
    fn new(plan: &Plan, buffers: &Buffers<'_>) -> Result<Candidate, Error> {
        let (caps, schedule) = (plan.caps().clone(), schedule_for(plan, buffers)?);
        Ok(Candidate { caps, schedule, bound: plan.bind(buffers)?, time: Duration::MAX })
    }

    /// Lanes that share a row, in the kernel that has most of them.
    fn lanes(&self) -> u32 {
        self.schedule.steps.iter().map(|step| step.constants.lanes).max().unwrap_or(1)
    }
}

/// Finds the fastest way, one choice after the other, and has the engine remember it.
pub(super) fn tune(engine: &GpuEngine, problem: &Problem) -> Result<Tuning, Error> {
    let (device, options) = (&engine.shared.device, &engine.shared.options);
    let slices = slices_of(engine, problem)?;
    let buffers = Buffers::of(slices.iter().map(|(slot, buffer)| (*slot, buffer.slice(..))), None);
    let plan = |caps: &Caps| Ok::<_, Error>(Plan::new(engine, problem.clone())?.with_caps(caps.clone()));
    let candidate = |caps: &Caps| Candidate::new(&plan(caps)?, &buffers);

    let usual = suited(problem, &engine.shared.caps);
    let mut own = candidate(&usual)?;
    // Pipelines are made by now, but drivers put off what they can.
    run(engine, &own.bound, 1)?;
    let once = run(engine, &own.bound, 1)?;
    let calls = (LONG_ENOUGH.as_secs_f64() / once.as_secs_f64().max(1e-9)).ceil().clamp(1.0, MOST_CALLS.into()) as u32;
    let mut best = candidate(&usual)?;
    let mut settled = None;
    for choice in CHOICES {
        if settled == Some(choice) {
            continue;
        }
        let mut field = Vec::new();
        for caps in alternatives(device, options, &best.caps, best.lanes(), choice) {
            let other = candidate(&caps)?;
            if other.schedule != best.schedule {
                run(engine, &other.bound, 1)?;
                field.push(other);
            }
        }
        race(engine, std::iter::once(&mut best).chain(&mut field), calls)?;
        let limit = best.time.mul_f64(BETTER);
        let faster = field.into_iter().filter(|other| other.time < limit).min_by_key(|other| other.time);
        settled = faster.is_none().then_some(choice);
        best = faster.unwrap_or(best);
    }
    race(engine, [&mut own, &mut best].into_iter(), calls)?;
    let time_before = own.time;
    if best.schedule == own.schedule || best.time >= own.time.mul_f64(BETTER) {
        best = own;
    }
    let (lanes, &Caps { variant, workgroup_size, .. }) = (best.lanes(), &best.caps);
    let tuning = Tuning { variant, workgroup_size, lanes, time: best.time, time_before };
    log::info!("surprisal: {} tuned to {tuning}", problem.spec().name());
    engine.shared.tuned.put(problem, best.caps);
    Ok(tuning)
}

/// One of the choices that an engine makes for its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    /// How many lanes share a row.
    Lanes,
    /// How many make a workgroup.
    WorkgroupSize,
    /// Through what they share, and how wide their words are.
    Variant,
}

/// In their order; lanes change by a factor of four at most, and so as often as there are that many to come.
const CHOICES: [Choice; 6] =
    [Choice::Lanes, Choice::Lanes, Choice::Lanes, Choice::Lanes, Choice::WorkgroupSize, Choice::Variant];

/// The other ways to make a choice, of work that so many lanes a row do now; none where it was forced.
fn alternatives(device: &wgpu::Device, options: &Options, caps: &Caps, lanes: u32, choice: Choice) -> Vec<Caps> {
    let fixed = |caps: Caps, lanes| Caps { lanes: Some(lanes), max_lanes: caps.workgroup_size, ..caps };
    match choice {
        Choice::Lanes if options.lanes.is_none() => {
            let others = [lanes / 4, lanes / 2, lanes * 2, lanes * 4];
            let possible = others.into_iter().filter(|lanes| (1..=caps.workgroup_size).contains(lanes));
            possible.map(|lanes| fixed(caps.clone(), lanes)).collect()
        }
        Choice::WorkgroupSize if options.workgroup_size.is_none() => {
            let fits = |&size: &u32| {
                let shares = caps.variant == Variant::Workgroup || has_subgroups(device, size);
                size != caps.workgroup_size && size >= lanes && shares
            };
            let others = [WORKGROUP_SIZE / 8, WORKGROUP_SIZE / 4, WORKGROUP_SIZE / 2, WORKGROUP_SIZE];
            let possible = others.into_iter().filter(fits);
            possible.map(|workgroup_size| fixed(Caps { workgroup_size, ..caps.clone() }, lanes)).collect()
        }
        Choice::Variant if options.variant.is_none() => {
            let words_of_64 = device.features().contains(wgpu::Features::SHADER_INT64);
            let ways = [(Variant::Workgroup, false), (Variant::Subgroup, false), (Variant::Subgroup, true)];
            let fits = |&(variant, pairs): &(Variant, bool)| {
                let has_subgroups = variant == Variant::Workgroup || has_subgroups(device, caps.workgroup_size);
                (variant, pairs) != (caps.variant, caps.pairs) && has_subgroups && (words_of_64 || !pairs)
            };
            let possible = ways.into_iter().filter(fits);
            possible.map(|(variant, pairs)| fixed(Caps { variant, pairs, ..caps.clone() }, lanes)).collect()
        }
        _ => Vec::new(),
    }
}

/// The slices that a call needs, with numbers that leave no row out.
fn slices_of(engine: &GpuEngine, problem: &Problem) -> Result<Vec<(Slot, Pooled)>, Error> {
    let make = |(slot, bytes): (Slot, u64)| {
        let buffer = match words(problem, slot) {
            Some(words) => {
                let pattern = words.into_iter().cycle().take((bytes / 4) as usize).collect::<Vec<u32>>();
                upload(engine, slot.name(), bytemuck::cast_slice(&pattern))?
            }
            None => cleared(engine, slot, bytes)?,
        };
        Ok((slot, buffer))
    };
    slices::needed(problem).map(make).collect()
}

/// Words that a slot is filled with, over and over; zeros where there are none.
fn words(problem: &Problem, slot: Slot) -> Option<Vec<u32>> {
    match slot {
        Slot::RowWeights | Slot::Divisor => Some(vec![1.0_f32.to_bits()]),
        // Numbers next to 0, and the first class where a row's label is saved, counted from 1.
        Slot::RowState => Some(vec![1]),
        Slot::Targets if problem.targets_are_labels() => {
            let ignored = problem.spec().ignore_index();
            let label = (0..).find(|label| !ignored.contains(label)).unwrap_or(0) as u32;
            Some(match problem.shape.label_storage {
                LabelStorage::I64 => vec![label, 0],
                _ => vec![label],
            })
        }
        _ => None,
    }
}

fn cleared(engine: &GpuEngine, slot: Slot, bytes: u64) -> Result<Pooled, Error> {
    let buffer = take(engine, slot.name(), bytes)?;
    let (device, queue) = (&engine.shared.device, &engine.shared.queue);
    guarded(device, "a submission", || {
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("surprisal") });
        encoder.clear_buffer(&buffer, 0, None);
        queue.submit([encoder.finish()]);
    })?;
    Ok(buffer)
}

/// Times candidates anew, in turns, so that whatever else the machine does is in all their ways.
fn race<'a>(engine: &GpuEngine, field: impl Iterator<Item = &'a mut Candidate>, calls: u32) -> Result<(), Error> {
    let mut field: Vec<_> = field.collect();
    field.iter_mut().for_each(|candidate| candidate.time = Duration::MAX);
    for _ in 0..ROUNDS {
        for candidate in &mut field {
            candidate.time = candidate.time.min(run(engine, &candidate.bound, calls)?);
        }
    }
    Ok(())
}

/// What a call takes, of so many in one submission.
fn run(engine: &GpuEngine, bound: &Bound, calls: u32) -> Result<Duration, Error> {
    let (device, queue) = (&engine.shared.device, &engine.shared.queue);
    let begun = Instant::now();
    let submission = guarded(device, "a submission", || {
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("surprisal") });
        (0..calls).for_each(|_| bound.record(&mut encoder));
        queue.submit([encoder.finish()])
    })?;
    polled(device, wgpu::PollType::Wait { submission_index: Some(submission), timeout: None })?;
    Ok(begun.elapsed() / calls)
}
