use super::guard::{buffer_of, guarded};
use super::pool::Pooled;
use super::{Buffers, GpuEngine};
use crate::inputs::Broadcast;
use crate::kernel::{PARAMS_BINDING, SOFT_PARAMS_BINDING, Slot};
use crate::loss::TargetKind;
use crate::params::Params;
use crate::plan::{Placement, Schedule, Source, Step, schedule};
use crate::{Error, Loss, Problem};

const WORD: u64 = 4;
/// Bytes between one step's `Params` and the next: WebGPU's largest offset alignment for uniform buffers.
const PARAMS_STRIDE: usize = 256;
/// Slots that may be left out; the number 1 stands in for them.
const DEFAULTED: [Slot; 5] = [Slot::Weights, Slot::RowWeights, Slot::Dloss, Slot::Divisor, Slot::Terms];

/// What a loss needs on the device whatever the buffers. Bind buffers to it as often as there are sets of buffers;
/// [`Buffers`] shows how.
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::{CrossEntropy, Engine, Pass, Reduction, Shape, Side};
///
/// let engine = Engine::new()?;
/// let Some(gpu) = engine.gpu() else { return Ok(()) };
/// let loss = CrossEntropy::new().reduction(Reduction::None).side(Side::new().entropy().argmax());
/// let plan = gpu.plan(loss, Pass::Forward, Shape::new(64, 1000))?;
/// // What the outputs' slices hold: f32 of losses, words of side outputs, f32 of row state.
/// assert_eq!((plan.values_len(), plan.side_len(), plan.row_state_len()), (64, 128, 128));
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Plan {
    engine: GpuEngine,
    problem: Problem,
    /// The number 1 for each slot of `DEFAULTED`, one alignment apart, then the class factors and the ignored labels.
    constants: wgpu::Buffer,
}

/// A plan with its buffers: ready to be recorded, any number of times.
///
/// Recording is dispatches only: nothing is created, copied, submitted or waited for. The scratch memory belongs to
/// this value; keep it until the last submission that holds a recording of it has been made.
///
/// ```
/// use surprisal::{Bound, wgpu};
///
/// /// A pass of the app's own, which goes on after the loss.
/// fn loss_amid(bound: &Bound, encoder: &mut wgpu::CommandEncoder) {
///     let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
///     // ... the app's forward kernels ...
///     bound.record_in(&mut pass);
///     // ... and its backward ones, which set their own pipeline and bind group 0 ...
/// }
/// ```
#[derive(Debug)]
pub struct Bound {
    dispatches: Vec<Dispatch>,
    _scratch: Vec<Pooled>,
}

#[derive(Debug)]
struct Dispatch {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    grid: (u32, u32),
}

impl Plan {
    pub(super) fn new(engine: &GpuEngine, problem: Problem) -> Result<Plan, Error> {
        let device = &engine.shared.device;
        let stride = engine.shared.caps.alignment as usize;
        let mut bytes = vec![0; DEFAULTED.len() * stride];
        for one in bytes.chunks_mut(stride) {
            one[..4].copy_from_slice(&1.0_f32.to_ne_bytes());
        }
        bytes.extend_from_slice(bytemuck::cast_slice(problem.spec().class_factors()));
        bytes.extend_from_slice(bytemuck::cast_slice(problem.spec().ignore_index()));
        let constants = buffer_of(device, "surprisal constants", &bytes, wgpu::BufferUsages::STORAGE)?;
        Ok(Plan { engine: engine.clone(), problem, constants })
    }

    /// The loss as it is computed.
    pub fn loss(&self) -> &Loss {
        &self.problem.loss
    }

    /// Values the operation puts out: 1, N or N x C; four times as many for a [`crate::Distillation`].
    pub fn values_len(&self) -> usize {
        self.problem.values_len()
    }

    /// f32 of row state that `Forward` writes and `Backward` reads.
    pub fn row_state_len(&self) -> usize {
        self.problem.shape.n_rows * self.problem.state_width()
    }

    /// Words of side outputs.
    pub fn side_len(&self) -> usize {
        self.problem.side_len()
    }

    /// Checks the slices and makes bind groups for them. Fails with what is wrong before anything reaches the device.
    pub fn bind(&self, buffers: &Buffers<'_>) -> Result<Bound, Error> {
        self.engine.bind(self, buffers)
    }

    fn constant_offset(&self, slot: Slot) -> u64 {
        let place = DEFAULTED.iter().position(|&s| s == slot).unwrap_or(DEFAULTED.len());
        place as u64 * self.engine.shared.caps.alignment
    }
}

impl Bound {
    /// Records the dispatches as a compute pass of their own. The encoder must be of the engine's device, which wgpu
    /// checks when it is finished and not before.
    pub fn record(&self, encoder: &mut wgpu::CommandEncoder) {
        let descriptor = wgpu::ComputePassDescriptor { label: Some("surprisal"), timestamp_writes: None };
        self.record_in(&mut encoder.begin_compute_pass(&descriptor));
    }

    /// Records the dispatches into a pass of the caller's; its pipeline and bind group 0 are changed.
    pub fn record_in(&self, pass: &mut wgpu::ComputePass<'_>) {
        for dispatch in &self.dispatches {
            pass.set_pipeline(&dispatch.pipeline);
            pass.set_bind_group(0, &dispatch.bind_group, &[]);
            pass.dispatch_workgroups(dispatch.grid.0, dispatch.grid.1, 1);
        }
    }
}

pub(super) fn bind(engine: &GpuEngine, plan: &Plan, buffers: &Buffers<'_>) -> Result<Bound, Error> {
    let problem = &plan.problem;
    check_presence(problem, buffers)?;
    let mut buffers = *buffers;
    let mut scratch = Vec::new();
    let state = match problem.writes_state() && buffers.get(Slot::RowState).is_none() && problem.shape.n_rows > 0 {
        true => Some(take_scratch(engine, plan.row_state_len() as u64 * WORD)?),
        false => None,
    };
    if let Some(state) = &state {
        buffers = buffers.row_state(state.slice(..));
    }
    for (slot, slice) in buffers.given() {
        check_slice(slot, slice, problem.element_bytes(slot), needed_len(problem, slot, buffers.weights) as u64)?;
    }
    let placement = placement(problem, &buffers);
    check_overlap(problem, &buffers, &placement, Aliasing::of(engine))?;

    let schedule = schedule(problem, &engine.shared.caps, &placement)?;
    for &size in &schedule.scratch {
        scratch.push(take_scratch(engine, size)?);
    }
    let dispatches = dispatches(engine, plan, &buffers, &schedule, &scratch)?;
    scratch.extend(state);
    Ok(Bound { dispatches, _scratch: scratch })
}

fn take_scratch(engine: &GpuEngine, size: u64) -> Result<Pooled, Error> {
    let usage = wgpu::BufferUsages::STORAGE;
    engine.shared.pool.take(&engine.shared.device, "surprisal scratch", size, usage)
}

fn dispatches(
    engine: &GpuEngine,
    plan: &Plan,
    buffers: &Buffers<'_>,
    schedule: &Schedule,
    scratch: &[Pooled],
) -> Result<Vec<Dispatch>, Error> {
    let device = &engine.shared.device;
    let mut bytes = vec![0; schedule.steps.len() * PARAMS_STRIDE];
    for (step, place) in schedule.steps.iter().zip(bytes.chunks_mut(PARAMS_STRIDE)) {
        place[..size_of::<Params>()].copy_from_slice(bytemuck::bytes_of(&step.params));
    }
    let soft_params_at = bytes.len();
    if let Some(soft_params) = &schedule.soft_params {
        bytes.extend_from_slice(bytemuck::bytes_of(soft_params));
    }
    let params = buffer_of(device, "surprisal params", &bytes, wgpu::BufferUsages::UNIFORM)?;
    let bind = |(index, step): (usize, &Step)| {
        let pipeline = engine.shared.pipelines.get(device, step.kernel, step.constants)?;
        let uniform = |binding, at: usize| wgpu::BindGroupEntry {
            binding,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: &params,
                offset: at as u64,
                size: wgpu::BufferSize::new(size_of::<Params>() as u64),
            }),
        };
        let mut entries = vec![uniform(PARAMS_BINDING, index * PARAMS_STRIDE)];
        if step.kernel.has_soft_params() {
            entries.push(uniform(SOFT_PARAMS_BINDING, soft_params_at));
        }
        for (slot, region) in &step.regions {
            let (buffer, start) = match region.source {
                Source::Caller(slot) => {
                    let slice = buffers.get(slot).expect("a schedule names only slices that were placed");
                    (slice.buffer(), 0)
                }
                Source::Constant(slot) => (&plan.constants, plan.constant_offset(slot)),
                Source::Scratch(number) => (&*scratch[number], 0),
            };
            entries.push(wgpu::BindGroupEntry {
                binding: *slot as u32,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer,
                    offset: start + region.offset,
                    size: wgpu::BufferSize::new(region.size),
                }),
            });
        }
        let label = step.kernel.label();
        let bind_group = guarded(device, "a bind group", || {
            device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some(&label),
                layout: &pipeline.get_bind_group_layout(0),
                entries: &entries,
            })
        })?;
        Ok(Dispatch { pipeline, bind_group, grid: step.grid })
    };
    schedule.steps.iter().enumerate().map(bind).collect()
}

/// Refuses slices that are missing or that nothing would read.
fn check_presence(problem: &Problem, buffers: &Buffers<'_>) -> Result<(), Error> {
    let check =
        |slot: Slot, needed, used| problem.check_presence(slot.name(), buffers.get(slot).is_some(), needed, used);
    let targets = problem.spec().targets() != TargetKind::None;
    let divided = problem.divisor() == crate::loss::Divisor::Input;
    let dlogits = problem.writes_dlogits();
    check(Slot::Targets, targets, targets)?;
    check(Slot::Teacher, problem.takes_teacher(), problem.takes_teacher())?;
    check(Slot::TeacherIds, problem.takes_teacher_ids(), problem.takes_teacher_ids())?;
    check(Slot::TargetProbs, problem.takes_target_probs(), problem.takes_target_probs())?;
    check(Slot::Weights, false, problem.takes_weights())?;
    check(Slot::RowWeights, problem.takes_row_weights(), problem.takes_row_weights())?;
    check(Slot::Side, problem.writes_side(), problem.writes_side())?;
    check(Slot::Errors, false, problem.spec().targets() == TargetKind::ClassIndex)?;
    check(Slot::Dloss, problem.needs_dloss(), problem.uses_dloss())?;
    check(Slot::Divisor, divided, divided)?;
    check(Slot::RowState, problem.reads_state(), problem.reads_state() || problem.writes_state())?;
    check(Slot::Values, problem.writes_values(), problem.writes_values())?;
    check(Slot::Dlogits, dlogits && !buffers.in_place, dlogits && !buffers.in_place)?;
    check(Slot::Dtargets, problem.writes_dtargets(), problem.writes_dtargets())?;
    problem.check_presence("dlogits_in_place", buffers.in_place, false, dlogits)
}

fn check_slice(slot: Slot, slice: wgpu::BufferSlice<'_>, element: u64, len: u64) -> Result<(), Error> {
    let (tensor, expected) = (slot.name(), len * element);
    let usage = slice.buffer().usage();
    if !usage.contains(wgpu::BufferUsages::STORAGE) {
        return Err(Error::SliceUsage { tensor, found: usage });
    }
    if !slice.offset().is_multiple_of(element) {
        return Err(Error::SliceOffset { tensor, element, offset: slice.offset() });
    }
    if slice.size() < expected {
        return Err(Error::SliceSize { tensor, expected, found: slice.size() });
    }
    let found = slice.buffer().size();
    match (slice.offset() + expected).next_multiple_of(WORD) > found {
        true => Err(Error::PartialWord { tensor, found }),
        false => Ok(()),
    }
}

/// Elements a slice must hold.
fn needed_len(problem: &Problem, slot: Slot, weights: Option<Broadcast>) -> usize {
    let shape = &problem.shape;
    match slot {
        Slot::Logits => shape.logits_len(),
        Slot::Targets if problem.targets_are_labels() => shape.n_rows * problem.labels_per_row(),
        Slot::TargetProbs | Slot::TeacherIds => shape.n_rows * problem.ids_per_row(),
        Slot::Targets | Slot::Teacher => shape.targets_len(),
        Slot::Weights => weights.map_or(0, |broadcast| problem.weights_len(broadcast)),
        Slot::Dloss => problem.losses_len(),
        Slot::Values => problem.values_len(),
        Slot::Divisor | Slot::Errors => 1,
        Slot::RowWeights => shape.n_rows,
        Slot::Side => problem.side_len(),
        Slot::RowState => shape.n_rows * problem.state_width(),
        Slot::Dlogits => shape.dlogits_len(),
        Slot::Dtargets => shape.dtargets_len(),
        Slot::Classes | Slot::Terms | Slot::SavedSums | Slot::SavedTerms | Slot::Truths => 0,
    }
}

fn is_written(problem: &Problem, slot: Slot, in_place: bool) -> bool {
    match slot {
        Slot::Values | Slot::Dlogits | Slot::Dtargets | Slot::Side | Slot::Errors => true,
        Slot::RowState => problem.writes_state(),
        Slot::Logits => in_place,
        _ => false,
    }
}

/// Which slices of one buffer may be bound side by side.
#[derive(Clone, Copy)]
enum Aliasing {
    /// Those whose bytes differ.
    Bytes,
    /// A browser refuses bindings that overlap if one may be written, as all of an arena's may; and bindings start at
    /// whole blocks of so many bytes.
    Blocks(u64),
}

impl Aliasing {
    fn of(engine: &GpuEngine) -> Aliasing {
        match engine.shared.device.adapter_info().backend {
            wgpu::Backend::BrowserWebGpu => Aliasing::Blocks(engine.shared.caps.alignment),
            _ => Aliasing::Bytes,
        }
    }
}

/// Pairs of slices in one buffer, each in both orders.
fn sharing<'a>(buffers: &'a Buffers<'_>) -> impl Iterator<Item = (Slot, Slot)> + 'a {
    buffers.given().flat_map(move |(slot, slice)| {
        let others = buffers.given().filter(move |(other, o)| *other != slot && o.buffer() == slice.buffer());
        others.map(move |(other, _)| (slot, other))
    })
}

fn check_overlap(
    problem: &Problem,
    buffers: &Buffers<'_>,
    placement: &Placement,
    aliasing: Aliasing,
) -> Result<(), Error> {
    let bytes = |slot: Slot, block: u64| {
        let slice = buffers.get(slot).expect("a slot of given()");
        let len = needed_len(problem, slot, buffers.weights) as u64 * problem.element_bytes(slot);
        slice.offset() - slice.offset() % block..slice.offset() + len
    };
    let meet = |one, other, block| {
        let (a, b) = (bytes(one, block), bytes(other, block));
        a.start < b.end && b.start < a.end
    };
    let is_written = |slot| is_written(problem, slot, buffers.in_place);
    for (written, other) in sharing(buffers).filter(|&(slot, _)| is_written(slot)) {
        if meet(written, other, 1) {
            return Err(Error::Overlap { written: written.name(), other: other.name() });
        }
    }
    let Aliasing::Blocks(block) = aliasing else { return Ok(()) };
    for (one, other) in sharing(buffers).filter(|&(slot, _)| is_written(slot) || placement.arena) {
        if meet(one, other, block) {
            return Err(Error::SharedBlock { one: one.name(), other: other.name(), block });
        }
    }
    Ok(())
}

fn placement(problem: &Problem, buffers: &Buffers<'_>) -> Placement {
    let is_written = |slot| is_written(problem, slot, buffers.in_place);
    Placement {
        offsets: buffers.given().map(|(slot, slice)| (slot, slice.offset())).collect(),
        arena: sharing(buffers).any(|(slot, other)| is_written(slot) && !is_written(other)),
        in_place: buffers.in_place,
        weights: buffers.weights,
        has_dloss: buffers.get(Slot::Dloss).is_some(),
        counts_errors: buffers.get(Slot::Errors).is_some(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CrossEntropy, Pass, Shape};

    /// What cross-entropy of 2 x 3 says to a buffer's slices at these offsets.
    fn check(aliasing: Aliasing, [logits, targets, values, dlogits]: [u64; 4]) -> Result<(), Error> {
        let (device, _queue) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
        let usage = wgpu::BufferUsages::STORAGE;
        let size = 4096;
        let descriptor = wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false };
        let arena = device.create_buffer(&descriptor);
        let problem =
            Problem::new(CrossEntropy::new(), Pass::ForwardBackward, Shape::new(2, 3)).expect("it has a meaning");
        let buffers = Buffers::new(arena.slice(logits..)).targets(arena.slice(targets..));
        let buffers = buffers.values(arena.slice(values..)).dlogits(arena.slice(dlogits..));
        check_overlap(&problem, &buffers, &placement(&problem, &buffers), aliasing)
    }

    #[test]
    fn a_browser_has_the_slices_of_an_arena_in_blocks_of_their_own() {
        let block = 256;
        let shared = |one, other| Err(Error::SharedBlock { one, other, block });
        let written = Error::Overlap { written: "dlogits", other: "logits" };
        for (offsets, natively, in_browser) in [
            ([0, 256, 512, 768], Ok(()), Ok(())),
            // The values lie behind the labels, the labels behind the logits.
            ([0, 256, 264, 768], Ok(()), shared("targets", "values")),
            ([0, 24, 512, 768], Ok(()), shared("logits", "targets")),
            ([0, 256, 512, 516], Ok(()), shared("values", "dlogits")),
            // Both are read alone, but an arena's kernels may write everything.
            ([0, 0, 512, 768], Ok(()), shared("logits", "targets")),
            ([0, 256, 512, 20], Err(written.clone()), Err(written)),
        ] {
            assert_eq!(check(Aliasing::Bytes, offsets), natively, "{offsets:?}");
            assert_eq!(check(Aliasing::Blocks(block), offsets), in_browser, "{offsets:?} in a browser");
        }
    }
}
