use surprisal::kernel::Kernel;
use surprisal::wgpu;
use surprisal::{GpuEngine, Options, Reduction};

use super::tensors::{self, Tensors};

/// What an app pays before its first call of a loss: planning, the kernels' texts, and their way through wgpu and the
/// driver.
pub struct FirstCall {
    reduction: Reduction,
    kernels: Vec<Kernel>,
}

impl FirstCall {
    pub fn new(engine: &GpuEngine, tensors: &Tensors, reduction: Reduction) -> FirstCall {
        let plan = tensors::plan(engine, reduction);
        let description = plan.describe(&tensors.buffers()).expect("the tensors are of this shape");
        let all = Kernel::all();
        let of = |label: &str| *all.iter().find(|kernel| kernel.label() == label).expect("a kernel of that name");
        FirstCall { reduction, kernels: description.dispatches.iter().map(|dispatch| of(&dispatch.kernel)).collect() }
    }

    /// On an engine that has made nothing yet.
    pub fn surprisal(&self, engine: &GpuEngine) {
        let fresh = GpuEngine::with_options(engine.device(), engine.queue(), Options::default());
        let warm = |fresh: GpuEngine| tensors::plan(&fresh, self.reduction).warm();
        fresh.and_then(warm).expect("the device has made them before");
    }

    /// The texts alone.
    pub fn texts(&self) -> Vec<String> {
        self.kernels.iter().map(Kernel::source).collect()
    }

    /// The same texts through wgpu and the driver alone.
    pub fn bare(&self, device: &wgpu::Device, texts: &[String]) -> Vec<wgpu::ComputePipeline> {
        let pipeline = |(kernel, text): (&Kernel, &String)| {
            let source = wgpu::ShaderSource::Wgsl(text.into());
            let text = wgpu::ShaderModuleDescriptor { label: Some("bare"), source };
            // SAFETY: what it makes is never launched.
            let module = unsafe { device.create_shader_module_trusted(text, wgpu::ShaderRuntimeChecks::unchecked()) };
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some("bare"),
                layout: None,
                module: &module,
                entry_point: Some(kernel.entry_point()),
                compilation_options: Default::default(),
                cache: None,
            })
        };
        self.kernels.iter().zip(texts).map(pipeline).collect()
    }
}
