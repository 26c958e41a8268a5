use crate::{Error, GpuEngine, Inputs, Loss, Options, Output, Pass, Pending, Policy, Problem, Shape, cpu};

/// Evaluates losses on host slices: on a GPU where there is one, on the CPU otherwise.
///
/// Three ways in, thin over one another: [`GpuEngine`] records into a caller's encoder, [`Engine::begin`] returns a
/// future, [`Engine::evaluate`] waits.
#[derive(Clone, Debug)]
pub struct Engine {
    gpu: Option<GpuEngine>,
    policy: Policy,
}

/// Where an engine computes; its `Display` names adapter and driver.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Backend {
    /// The processor's cores, in vectors.
    Cpu,
    /// A wgpu device.
    Gpu {
        /// Adapter, backend and driver.
        adapter: String,
        /// The kernel variant chosen for it.
        variant: String,
    },
}

impl std::fmt::Display for Backend {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Backend::Cpu => write!(f, "CPU"),
            Backend::Gpu { adapter, variant } => write!(f, "{adapter}, {variant} kernels"),
        }
    }
}

impl Engine {
    /// The CPU engine: never touches a GPU.
    pub fn cpu() -> Engine {
        Engine { gpu: None, policy: Policy::new() }
    }

    /// The best GPU, or the CPU engine where there is none; [`Engine::backend`] says which.
    ///
    /// Software adapters (`wgpu::DeviceType::Cpu`) are taken only when asked for. `SURPRISAL_ADAPTER` asks:
    /// `software` for any of them, `cpu` for the CPU engine, anything else for the adapter whose description contains
    /// every word of it. An adapter that gives no device which serves is passed over for the next. Fails when an
    /// adapter asked for is not there, or gives none.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn new() -> Result<Engine, Error> {
        pollster::block_on(Self::request(Options::default()))
    }

    /// As [`Engine::new`], with options and without waiting: the way in on the web. Fails as that does, and where no
    /// adapter can run what the options force.
    ///
    /// ```
    /// # async fn open() -> Result<(), surprisal::Error> {
    /// use surprisal::{Backend, Engine, Options};
    ///
    /// let engine = Engine::request(Options::default().adapter("cpu")).await?;
    /// assert_eq!(engine.backend(), Backend::Cpu);
    /// # Ok(()) }
    /// # pollster::block_on(open()).unwrap();
    /// ```
    pub async fn request(options: Options) -> Result<Engine, Error> {
        let gpu = GpuEngine::request(options).await?;
        if gpu.is_none() {
            log::info!("surprisal: {}", Backend::Cpu);
        }
        Ok(Engine { gpu, policy: Policy::new() })
    }

    /// The engine for an app that owns its device; it can record into the app's encoders.
    ///
    /// Ask for what [`Engine::wanted`] names when requesting the device. Fails when the device grants fewer than
    /// the 256 invocations a workgroup or the 8 storage buffers of WebGPU's default limits.
    pub fn from_device(device: &wgpu::Device, queue: &wgpu::Queue) -> Result<GpuEngine, Error> {
        GpuEngine::with_options(device, queue, Options::default())
    }

    /// The features and limits to request from an adapter so that every kernel variant it could run is available, and
    /// timestamps for [`crate::Bound::record_timed`] and a pipeline cache for [`crate::Options::pipeline_cache`] where
    /// it has them.
    pub fn wanted(adapter: &wgpu::Adapter) -> (wgpu::Features, wgpu::Limits) {
        GpuEngine::wanted(adapter)
    }

    /// The same engine under another policy.
    pub fn policy(self, policy: Policy) -> Engine {
        Engine { gpu: self.gpu.map(|gpu| gpu.policy(policy)), policy }
    }

    /// Where this engine computes.
    pub fn backend(&self) -> Backend {
        self.gpu.as_ref().map_or(Backend::Cpu, GpuEngine::backend)
    }

    /// The engine beneath, if it is one that records.
    pub fn gpu(&self) -> Option<&GpuEngine> {
        self.gpu.as_ref()
    }

    /// Evaluates and waits. Fails where loss, pass, shape and inputs do not fit together, where the device has no room,
    /// and where it is lost.
    ///
    /// ```
    /// # fn main() -> Result<(), surprisal::Error> {
    /// use surprisal::{Engine, Inputs, KlDivergence, Form, Pass, Shape};
    ///
    /// let (logits, probs) = ([0.0, 0.0], [0.25, 0.75]);
    /// let (loss, inputs) = (KlDivergence::from_logits(Form::Probs), Inputs::new(&logits).targets(&probs));
    /// let output = Engine::new()?.evaluate(loss, Pass::ForwardBackward, Shape::new(1, 2), inputs)?;
    /// assert!((output.values[0] - 0.130812).abs() < 1e-6); // nats
    /// let dlogits = output.dlogits.expect("asked for"); // q - p
    /// assert!((dlogits[0] - 0.25).abs() < 1e-6 && (dlogits[1] + 0.25).abs() < 1e-6);
    /// # Ok(()) }
    /// ```
    #[cfg(not(target_arch = "wasm32"))]
    pub fn evaluate(
        &self,
        loss: impl Into<Loss>,
        pass: Pass,
        shape: Shape,
        inputs: Inputs<'_>,
    ) -> Result<Output, Error> {
        let mut output = Output::default();
        self.evaluate_into(loss, pass, shape, inputs, &mut output)?;
        Ok(output)
    }

    /// As [`Engine::evaluate`], into an output whose memory is used again: on the CPU, calls of one shape after another
    /// then allocate no tensor anew but side outputs and widened labels. After an error it is as it was.
    ///
    /// ```
    /// # fn main() -> Result<(), surprisal::Error> {
    /// use surprisal::{CrossEntropy, Engine, Inputs, Output, Pass, Shape};
    ///
    /// let (engine, loss, mut output) = (Engine::cpu(), CrossEntropy::new(), Output::default());
    /// for logits in [[2.0, 1.0, 0.1], [0.1, 1.0, 2.0]] {
    ///     let inputs = Inputs::new(&logits).targets(&[0]);
    ///     engine.evaluate_into(&loss, Pass::ForwardBackward, Shape::new(1, 3), inputs, &mut output)?;
    /// }
    /// assert!((output.values[0] - 2.317030).abs() < 1e-6);
    /// # Ok(()) }
    /// ```
    #[cfg(not(target_arch = "wasm32"))]
    pub fn evaluate_into(
        &self,
        loss: impl Into<Loss>,
        pass: Pass,
        shape: Shape,
        inputs: Inputs<'_>,
        output: &mut Output,
    ) -> Result<(), Error> {
        match &self.gpu {
            Some(gpu) => *output = gpu.begin(loss, pass, shape, inputs)?.wait()?,
            None => self.compute(loss, pass, shape, inputs, output)?,
        }
        Ok(())
    }

    /// Uploads, submits, and returns a future of the output. On a GPU it resolves while somebody polls:
    /// [`Engine::poll`], the app's own `device.poll` or, on the web, the browser. On the CPU it is ready at once. Fails
    /// as [`Engine::evaluate`] does; what the device has to say comes with the output.
    ///
    /// The inputs are not needed once it returns, and the loss may be lent (`&loss`), so that a stream of batches keeps a
    /// few outputs to come under way and waits for the oldest. Each holds buffers for its tensors and results until it
    /// is waited for or dropped, in whatever order. Batches of different sizes have no mean of means: reduce by `None`
    /// or `Sum`, add up, divide at the end, as the example `evaluate` does.
    ///
    /// ```
    /// # fn main() -> Result<(), surprisal::Error> {
    /// use std::{future::Future, pin::pin, task::{Context, Poll, Waker}};
    /// use surprisal::{CrossEntropy, Engine, Inputs, Pass, Shape};
    ///
    /// let engine = Engine::new()?;
    /// let inputs = Inputs::new(&[2.0, 1.0, 0.1]).targets(&[0]);
    /// let mut pending = pin!(engine.begin(CrossEntropy::new(), Pass::Forward, Shape::new(1, 3), inputs)?);
    /// let output = loop {
    ///     engine.poll(); // as an event loop would between frames
    ///     match pending.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
    ///         Poll::Ready(output) => break output?,
    ///         Poll::Pending => std::thread::yield_now(),
    ///     }
    /// };
    /// assert!((output.values[0] - 0.417030).abs() < 1e-6);
    /// # Ok(()) }
    /// ```
    pub fn begin(&self, loss: impl Into<Loss>, pass: Pass, shape: Shape, inputs: Inputs<'_>) -> Result<Pending, Error> {
        match &self.gpu {
            Some(gpu) => gpu.begin(loss, pass, shape, inputs),
            None => {
                let mut output = Output::default();
                self.compute(loss, pass, shape, inputs, &mut output)?;
                Ok(Pending::ready(output))
            }
        }
    }

    /// On the CPU.
    fn compute(
        &self,
        loss: impl Into<Loss>,
        pass: Pass,
        shape: Shape,
        inputs: Inputs<'_>,
        output: &mut Output,
    ) -> Result<(), Error> {
        let problem = Problem::new(loss, pass, shape)?.policy(self.policy);
        problem.check(&inputs)?;
        cpu::evaluate(&problem, &inputs, output);
        Ok(())
    }

    /// Times the ways to lay out this work on the engine's device (how many lanes share a row, how many make a workgroup,
    /// what they share through) and remembers the fastest: plans and calls that follow take it for this loss, pass and
    /// storage, this number of classes and layout, whatever the number of rows. None on the CPU, where there is no choice.
    ///
    /// It takes buffers of the whole shape from the device for as long as it runs, some tens of calls and the making of
    /// their pipelines; do it when the app starts, and expect little of it where [`Engine::backend`] is a GPU that others
    /// use too. What was forced by [`Options`] stays. Row by row, results still depend on nothing but the row, but a tuned
    /// engine's may differ in their last bits from another's.
    ///
    /// ```
    /// # fn main() -> Result<(), surprisal::Error> {
    /// use surprisal::{CrossEntropy, Engine, Pass, Shape};
    ///
    /// let engine = Engine::new()?;
    /// match engine.tune(CrossEntropy::new(), Pass::ForwardBackward, Shape::new(64, 100))? {
    ///     Some(tuning) => println!("{tuning}"), // e.g. subgroup, 64 lanes, 8 to a row: 20 us instead of 27 us
    ///     None => println!("nothing to tune"),
    /// }
    /// # Ok(()) }
    /// ```
    #[cfg(not(target_arch = "wasm32"))]
    pub fn tune(&self, loss: impl Into<Loss>, pass: Pass, shape: Shape) -> Result<Option<crate::Tuning>, Error> {
        match &self.gpu {
            Some(gpu) => gpu.tune(loss, pass, shape).map(Some),
            None => Problem::new(loss, pass, shape).map(|_| None),
        }
    }

    /// Lets finished GPU work resolve its futures; never waits.
    pub fn poll(&self) {
        if let Some(gpu) = &self.gpu {
            gpu.poll();
        }
    }
}

impl From<GpuEngine> for Engine {
    fn from(gpu: GpuEngine) -> Self {
        Engine { policy: gpu.policy, gpu: Some(gpu) }
    }
}
