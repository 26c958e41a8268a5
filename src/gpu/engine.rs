use std::sync::Arc;

use super::guard::polled;
use super::pending::Transfer;
use super::pipeline::Pipelines;
use super::pool::Pool;
use super::runs::runs;
#[cfg(not(target_arch = "wasm32"))]
use super::tune::{Tuning, tune};
use super::tuned::Tuned;
use super::{Pending, Plan, caps};
use crate::kernel::Variant;
use crate::plan::Caps;
use crate::span::span;
use crate::{Backend, Error, Inputs, Loss, Pass, Policy, Problem, Shape};

/// An engine on a wgpu device: the one that can record into a caller's encoder. [`crate::Engine::from_device`] makes
/// one for an app's device, and [`crate::Engine::gpu`] is that of an engine with a device of its own.
///
/// Clones are cheap and share pipelines and pooled buffers. [`crate::Buffers`] shows a whole call.
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::{CrossEntropy, Engine, Pass, Shape};
///
/// let engine = Engine::new()?;
/// let Some(gpu) = engine.gpu() else { return Ok(()) }; // the CPU records nothing
/// let plan = gpu.plan(CrossEntropy::new(), Pass::Forward, Shape::new(64, 1000))?;
/// assert_eq!((plan.values_len(), plan.row_state_len()), (1, 128));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct GpuEngine {
    pub(super) shared: Arc<Shared>,
    pub(crate) policy: Policy,
}

#[derive(Debug)]
pub(super) struct Shared {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    pub caps: Caps,
    /// What made them.
    pub options: Options,
    /// What timing has found better.
    pub tuned: Tuned,
    /// Shared with the engines that [`GpuEngine::limited`] makes of this one.
    pub pipelines: Arc<Pipelines>,
    pub pool: Pool,
}

/// Choices for an engine; the default leaves them to it.
///
/// ```
/// # async fn open() -> Result<(), surprisal::Error> {
/// use surprisal::{Engine, Options, kernel::Variant};
///
/// // On a software adapter or, where there is none, an error that lists those that are.
/// let options = Options::default().adapter("software").variant(Variant::Workgroup).checked(true);
/// match Engine::request(options).await {
///     Ok(engine) => println!("{}", engine.backend()),
///     Err(error) => println!("{error}"),
/// }
/// # Ok(()) }
/// # pollster::block_on(open()).unwrap();
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Options {
    /// Which adapter [`crate::Engine::request`] takes, in the words of `SURPRISAL_ADAPTER`; that variable if absent.
    pub adapter: Option<String>,
    /// Forces a kernel variant; where classes are strided, lanes always share through workgroup memory.
    pub variant: Option<Variant>,
    /// Forces the lanes of a workgroup, 32, 64, 128 or 256, all of which may then share a row.
    pub workgroup_size: Option<u32>,
    /// Forces the lanes that share a row: a power of two, at most a workgroup of them. Where rows are too long for so
    /// few on a software adapter, or neighbours too many, it is as many as can be.
    pub lanes: Option<u32>,
    /// Keeps run-time checks in the kernels: slower, for tests.
    pub checked: bool,
    /// Where the driver looks for pipelines it made before, and leaves those it makes: the app's, which loads and saves
    /// it. For engines on a device of the app's; one that opens its own has none to share, and refuses.
    pub pipeline_cache: Option<wgpu::PipelineCache>,
}

impl Options {
    /// Names the adapter to take.
    pub fn adapter(mut self, words: impl Into<String>) -> Self {
        self.adapter = Some(words.into());
        self
    }

    /// Forces a kernel variant.
    pub fn variant(mut self, variant: Variant) -> Self {
        self.variant = Some(variant);
        self
    }

    /// Forces the lanes of a workgroup.
    pub fn workgroup_size(mut self, lanes: u32) -> Self {
        self.workgroup_size = Some(lanes);
        self
    }

    /// Forces the lanes that share a row.
    pub fn lanes(mut self, lanes: u32) -> Self {
        self.lanes = Some(lanes);
        self
    }

    /// Names the app's pipeline cache.
    pub fn pipeline_cache(mut self, cache: wgpu::PipelineCache) -> Self {
        self.pipeline_cache = Some(cache);
        self
    }

    /// Keeps run-time checks in the kernels.
    pub fn checked(mut self, checked: bool) -> Self {
        self.checked = checked;
        self
    }
}

impl GpuEngine {
    /// The engine on a device of the app's own. Fails when the device grants fewer than the 256 invocations a
    /// workgroup or the 8 storage buffers of WebGPU's default limits, or cannot run the variant forced by the options.
    pub fn with_options(device: &wgpu::Device, queue: &wgpu::Queue, options: Options) -> Result<GpuEngine, Error> {
        let caps = caps::caps(device, &options)?;
        let shared = Shared {
            device: device.clone(),
            queue: queue.clone(),
            caps,
            pipelines: Arc::new(Pipelines::new(options.checked, options.pipeline_cache.clone())),
            options,
            tuned: Tuned::default(),
            pool: Pool::default(),
        };
        let engine = GpuEngine { shared: Arc::new(shared), policy: Policy::new() };
        log::info!("surprisal: {}", engine.backend());
        Ok(engine)
    }

    /// The same engine, its pipelines and buffers shared, under another policy.
    pub fn policy(self, policy: Policy) -> GpuEngine {
        GpuEngine { policy, ..self }
    }

    /// The same engine, its pipelines shared, as if the device granted no more than `change` leaves of its limits on
    /// bindings, buffers and workgroups: for tests of windows and runs, which then make no pipelines of their own.
    #[doc(hidden)]
    pub fn limited(&self, change: impl FnOnce(&mut wgpu::Limits)) -> GpuEngine {
        let mut limits = self.shared.device.limits();
        change(&mut limits);
        self.with_caps(self.shared.caps.limited(&limits))
    }

    /// The same engine, its pipelines shared, as if subgroups of the device were of any size from `smallest` to `largest`,
    /// its own among them: for tests of kernels that ask for it, where a device has but one.
    #[doc(hidden)]
    pub fn with_subgroups_of(&self, smallest: u32, largest: u32) -> GpuEngine {
        self.with_caps(Caps { subgroup_sizes: (smallest, largest), ..self.shared.caps.clone() })
    }

    fn with_caps(&self, caps: Caps) -> GpuEngine {
        let Shared { device, queue, options, pipelines, .. } = &*self.shared;
        let shared = Shared {
            device: device.clone(),
            queue: queue.clone(),
            caps,
            options: options.clone(),
            tuned: Tuned::default(),
            pipelines: pipelines.clone(),
            pool: Pool::default(),
        };
        GpuEngine { shared: Arc::new(shared), policy: self.policy }
    }

    /// Pipelines that it and the engines with which it shares them have made: for tests of what an app waits for.
    #[doc(hidden)]
    pub fn pipelines(&self) -> usize {
        self.shared.pipelines.len()
    }

    /// The features and limits to request from an adapter so that every kernel variant it could run is available, and
    /// timestamps for [`crate::Bound::record_timed`] and a pipeline cache for [`crate::Options::pipeline_cache`] where
    /// it has them.
    pub fn wanted(adapter: &wgpu::Adapter) -> (wgpu::Features, wgpu::Limits) {
        caps::wanted(adapter)
    }

    /// An engine on a device of its own, on the best adapter that gives one or the one asked for; none where the CPU
    /// must do.
    pub(crate) async fn request(options: Options) -> Result<Option<GpuEngine>, Error> {
        super::adapter::open_best(options).await
    }

    pub(super) async fn open(adapter: wgpu::Adapter, options: Options) -> Result<GpuEngine, Error> {
        let (required_features, required_limits) = caps::wanted(&adapter);
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("surprisal"),
            required_features,
            required_limits,
            ..wgpu::DeviceDescriptor::default()
        };
        let opened = adapter.request_device(&descriptor).await;
        let (device, queue) =
            opened.map_err(|error| Error::Wgpu { what: "the device request", message: error.to_string() })?;
        GpuEngine::with_options(&device, &queue, options)
    }

    /// The device the engine works on.
    pub fn device(&self) -> &wgpu::Device {
        &self.shared.device
    }

    /// The queue the engine submits to when it submits itself.
    pub fn queue(&self) -> &wgpu::Queue {
        &self.shared.queue
    }

    /// Adapter, driver and kernel variant.
    pub fn backend(&self) -> Backend {
        let info = self.shared.device.adapter_info();
        let driver = [info.driver.as_str(), info.driver_info.as_str()].join(" ");
        let adapter = format!("{} ({:?}, {})", info.name, info.backend, driver.trim());
        Backend::Gpu { adapter, variant: format!("{:?}", self.shared.caps.variant).to_lowercase() }
    }

    /// Everything about a loss that does not depend on buffers: made once per (loss, pass, shape). It costs a check and
    /// one small buffer; pipelines are the engine's, whichever plan had them made. Fails where options are out of range,
    /// and where the device has no room for the loss's own class vectors.
    pub fn plan(&self, loss: impl Into<Loss>, pass: Pass, shape: Shape) -> Result<Plan, Error> {
        Plan::new(self, Problem::new(loss, pass, shape)?.policy(self.policy))
    }

    /// Times the ways to lay out a loss's work on this device, and has the plans and calls that follow take the fastest:
    /// see [`crate::Engine::tune`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn tune(&self, loss: impl Into<Loss>, pass: Pass, shape: Shape) -> Result<Tuning, Error> {
        tune(self, &Problem::new(loss, pass, shape)?.policy(self.policy))
    }

    /// Uploads host slices, submits, and returns a future of the output: see [`crate::Engine::begin`]. What exceeds a
    /// buffer of the device goes in several submissions.
    pub fn begin(&self, loss: impl Into<Loss>, pass: Pass, shape: Shape, inputs: Inputs<'_>) -> Result<Pending, Error> {
        let problem = Problem::new(loss, pass, shape)?.policy(self.policy);
        span!("surprisal::begin", loss = problem.spec().name());
        problem.check(&inputs)?;
        let room = self.shared.caps.max_buffer;
        let submit = |(problem, inputs): (Problem, Inputs<'_>)| {
            let transfer = Transfer::upload(self, &problem, &inputs)?;
            let bound = Plan::new(self, problem)?.bind(&transfer.buffers())?;
            transfer.submit(bound)
        };
        let submitted: Result<_, Error> = runs(&problem, &inputs, room).into_iter().map(submit).collect();
        Ok(Pending::submitted(&problem, submitted?))
    }

    /// Evaluates and waits: see [`crate::Engine::evaluate`].
    #[cfg(not(target_arch = "wasm32"))]
    pub fn evaluate(
        &self,
        loss: impl Into<Loss>,
        pass: Pass,
        shape: Shape,
        inputs: Inputs<'_>,
    ) -> Result<crate::Output, Error> {
        self.begin(loss, pass, shape, inputs)?.wait()
    }

    /// Lets finished work resolve its futures; never waits.
    pub fn poll(&self) {
        // A lost device says so through the futures it fails.
        let _ = polled(&self.shared.device, wgpu::PollType::Poll);
    }
}
