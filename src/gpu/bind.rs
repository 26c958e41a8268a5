use super::guard::{buffer_of, guarded};
use super::pool::Pooled;
use super::scratch::Scratch;
use super::{Buffers, Description, GpuEngine, slices};
use crate::kernel::{Access, PARAMS_BINDING, SOFT_PARAMS_BINDING, Slot};
use crate::params::Params;
use crate::plan::{Caps, Placement, Schedule, Source, Step, schedule};
use crate::span::span;
use crate::{Error, Loss, Problem};

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
    caps: Caps,
    /// The number 1 for each slot of `DEFAULTED`, one alignment apart, then the class factors and the ignored labels.
    constants: wgpu::Buffer,
}

/// A plan with its buffers: ready to be recorded, any number of times.
///
/// Recording is dispatches only: nothing is created, copied, submitted or waited for. The scratch memory, if it is not
/// the caller's, belongs to this value; keep it until the last submission that holds a recording of it has been made.
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
    _loan: Vec<Pooled>,
}

#[derive(Debug)]
struct Dispatch {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    grid: (u32, u32, u32),
}

impl Plan {
    pub(super) fn new(engine: &GpuEngine, problem: Problem) -> Result<Plan, Error> {
        let caps = engine.shared.tuned.get(&problem).unwrap_or_else(|| engine.shared.caps.clone());
        let device = &engine.shared.device;
        let stride = caps.alignment as usize;
        let mut bytes = vec![0; DEFAULTED.len() * stride];
        for one in bytes.chunks_mut(stride) {
            one[..4].copy_from_slice(&1.0_f32.to_ne_bytes());
        }
        bytes.extend_from_slice(bytemuck::cast_slice(problem.spec().class_factors()));
        bytes.extend_from_slice(bytemuck::cast_slice(problem.spec().ignore_index()));
        let constants = buffer_of(device, "constants", &bytes, wgpu::BufferUsages::STORAGE)?;
        Ok(Plan { engine: engine.clone(), problem, caps, constants })
    }

    /// The same laid out in another way.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn with_caps(self, caps: Caps) -> Plan {
        Plan { caps, ..self }
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn caps(&self) -> &Caps {
        &self.caps
    }

    /// The loss as it is computed.
    pub fn loss(&self) -> &Loss {
        &self.problem.loss
    }

    /// Values the operation puts out: 1, N or N x C; four times as many for a [`crate::Distillation`].
    pub fn values_len(&self) -> usize {
        self.problem.values_len()
    }

    /// f32 of row state that `Forward` writes, if it is bound, and `Backward` reads: a few a row. The binary losses, the
    /// entropy of given probabilities and [`crate::NegativeLogLikelihood`] have none, and take no `row_state`.
    pub fn row_state_len(&self) -> usize {
        self.problem.shape.n_rows * self.problem.state_width()
    }

    /// Words of side outputs.
    pub fn side_len(&self) -> usize {
        self.problem.side_len()
    }

    /// Makes the pipelines that a binding of aligned slices in buffers of their own takes, optional ones and scratch left
    /// out: what a start-up would rather spend the time on than the first step. Pipelines are the engine's, and made
    /// once; those that [`Buffers::scratch`] wants are others, and made by the first binding that has it.
    ///
    /// ```
    /// # fn main() -> Result<(), surprisal::Error> {
    /// use surprisal::{CrossEntropy, Engine, Loss, Pass, Shape, SoftmaxFocal};
    ///
    /// let engine = Engine::new()?;
    /// let Some(gpu) = engine.gpu() else { return Ok(()) };
    /// for loss in [Loss::from(CrossEntropy::new()), SoftmaxFocal::new(2.0).into()] {
    ///     gpu.plan(loss, Pass::ForwardBackward, Shape::new(64, 1000))?.warm()?;
    /// }
    /// # Ok(()) }
    /// ```
    pub fn warm(&self) -> Result<(), Error> {
        let Plan { engine, problem, caps, .. } = self;
        let given = problem.needs_dloss().then_some((Slot::Dloss, 0));
        let placement = Placement { offsets: given.into_iter().collect(), ..Placement::default() };
        let schedule = schedule(problem, caps, &placement)?;
        let make = |step: &Step| engine.shared.pipelines.get(&engine.shared.device, step.kernel, step.constants);
        schedule.steps.iter().try_for_each(|step| make(step).map(drop))
    }

    /// Checks the slices and makes bind groups for them. Fails with what is wrong before anything reaches the device.
    pub fn bind(&self, buffers: &Buffers<'_>) -> Result<Bound, Error> {
        span!("surprisal::bind", loss = self.problem.spec().name());
        let schedule = schedule_for(self, buffers)?;
        let scratch = Scratch::take(&self.engine, buffers, &schedule)?;
        let dispatches = dispatches(self, buffers, &schedule, &scratch)?;
        Ok(Bound { dispatches, _loan: scratch.into_loan() })
    }

    /// What [`Plan::bind`] would launch for these slices, and the scratch memory it would take; nothing is made.
    ///
    /// ```
    /// # fn main() -> Result<(), surprisal::Error> {
    /// use surprisal::{Buffers, CrossEntropy, Engine, Pass, Reduction, Shape, wgpu};
    ///
    /// let engine = Engine::new()?;
    /// let Some(gpu) = engine.gpu() else { return Ok(()) };
    /// let of = |size, usage| {
    ///     gpu.device().create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
    /// };
    /// let [logits, labels, value, dlogits] = [4000, 4, 4, 4000].map(|size| of(size, wgpu::BufferUsages::STORAGE));
    /// let plan = gpu.plan(CrossEntropy::new(), Pass::ForwardBackward, Shape::new(1, 1000))?;
    /// let buffers = Buffers::new(logits.slice(..)).targets(labels.slice(..));
    /// let buffers = buffers.values(value.slice(..)).dlogits(dlogits.slice(..));
    ///
    /// let description = plan.describe(&buffers)?;
    /// println!("{description}"); // a line for each dispatch: kernel, workgroups, bytes
    /// assert_eq!(description.dispatches.len(), 2);
    ///
    /// // The scratch memory may be the app's.
    /// let scratch = of(description.scratch_bytes, wgpu::BufferUsages::STORAGE);
    /// let bound = plan.bind(&buffers.scratch(scratch.slice(..)))?;
    /// # Ok(()) }
    /// ```
    pub fn describe(&self, buffers: &Buffers<'_>) -> Result<Description, Error> {
        Ok(Description::new(&schedule_for(self, buffers)?, self.caps.alignment))
    }

    fn constant_offset(&self, slot: Slot) -> u64 {
        let place = DEFAULTED.iter().position(|&s| s == slot).unwrap_or(DEFAULTED.len());
        place as u64 * self.caps.alignment
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
        self.dispatches.iter().for_each(|dispatch| dispatch.record(pass));
    }

    /// Dispatches that are recorded, as many as [`Plan::describe`] lists.
    pub fn n_dispatches(&self) -> usize {
        self.dispatches.len()
    }

    /// Records each dispatch as a pass of its own between two timestamps, which go to the query set from number `first`
    /// on: what [`Bound::record`] takes on the GPU, dispatch by dispatch. The device must have
    /// `wgpu::Features::TIMESTAMP_QUERY`, which [`crate::Engine::wanted`] asks for, and the set room for twice
    /// [`Bound::n_dispatches`]; wgpu says so when the encoder is finished.
    ///
    /// ```
    /// use surprisal::{Bound, wgpu};
    ///
    /// fn timed(bound: &Bound, device: &wgpu::Device, encoder: &mut wgpu::CommandEncoder) -> wgpu::QuerySet {
    ///     let count = 2 * bound.n_dispatches() as u32;
    ///     let ty = wgpu::QueryType::Timestamp;
    ///     let set = device.create_query_set(&wgpu::QuerySetDescriptor { label: None, ty, count });
    ///     bound.record_timed(encoder, &set, 0);
    ///     // ... resolve_query_set, read, multiply the differences by queue.get_timestamp_period() ...
    ///     set
    /// }
    /// ```
    pub fn record_timed(&self, encoder: &mut wgpu::CommandEncoder, query_set: &wgpu::QuerySet, first: u32) {
        for (dispatch, at) in self.dispatches.iter().zip((first..).step_by(2)) {
            let timestamp_writes = Some(wgpu::ComputePassTimestampWrites {
                query_set,
                beginning_of_pass_write_index: Some(at),
                end_of_pass_write_index: Some(at + 1),
            });
            let descriptor = wgpu::ComputePassDescriptor { label: Some("surprisal"), timestamp_writes };
            dispatch.record(&mut encoder.begin_compute_pass(&descriptor));
        }
    }
}

impl Dispatch {
    fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        let (x, y, z) = self.grid;
        pass.dispatch_workgroups(x, y, z);
    }
}

/// What is launched for these slices. Fails where they are no good.
pub(super) fn schedule_for(plan: &Plan, buffers: &Buffers<'_>) -> Result<Schedule, Error> {
    let Plan { engine, problem, caps, .. } = plan;
    slices::check(engine, problem, buffers)?;
    let mut schedule = schedule(problem, caps, &slices::placement(buffers))?;
    for step in schedule.steps.iter_mut().filter(|step| slices::meet(step, buffers)) {
        step.kernel.access = Access::Arena;
    }
    Ok(schedule)
}

fn dispatches(
    plan: &Plan,
    buffers: &Buffers<'_>,
    schedule: &Schedule,
    scratch: &Scratch<'_>,
) -> Result<Vec<Dispatch>, Error> {
    let engine = &plan.engine;
    let device = &engine.shared.device;
    let mut bytes = vec![0; schedule.steps.len() * PARAMS_STRIDE];
    for (step, place) in schedule.steps.iter().zip(bytes.chunks_mut(PARAMS_STRIDE)) {
        place[..size_of::<Params>()].copy_from_slice(bytemuck::bytes_of(&step.params));
    }
    let soft_params_at = bytes.len();
    if let Some(soft_params) = &schedule.soft_params {
        bytes.extend_from_slice(bytemuck::bytes_of(soft_params));
    }
    let params = buffer_of(device, "params", &bytes, wgpu::BufferUsages::UNIFORM)?;
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
                Source::Scratch(number) => scratch.at(number),
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
