use super::guard::guarded;
use super::memo::Memo;
use crate::Error;
use crate::kernel::{Constants, Kernel};
use crate::params::Params;
use crate::span::span;

/// Compute pipelines, made once per kernel and its overrides' values. Those of one kernel share its parsed text, which is most of
/// what a pipeline costs to make and to keep.
#[derive(Debug, Default)]
pub(super) struct Pipelines {
    modules: Memo<Kernel, Module>,
    /// By the values of the overrides that the kernel has: what it does not look at makes no pipeline.
    made: Memo<(Kernel, Vec<u64>), wgpu::ComputePipeline>,
    /// Keep naga's run-time checks (bounds, loops): for tests that prove they are not needed.
    checked: bool,
    /// The app's, of what the driver made in an earlier run.
    cache: Option<wgpu::PipelineCache>,
}

/// A kernel's text as the device has it, and the layout of what it binds.
#[derive(Clone, Debug)]
struct Module {
    shader: wgpu::ShaderModule,
    layout: wgpu::PipelineLayout,
}

impl Pipelines {
    pub fn new(checked: bool, cache: Option<wgpu::PipelineCache>) -> Self {
        Pipelines { checked, cache, ..Self::default() }
    }

    pub fn len(&self) -> usize {
        self.made.len()
    }

    pub fn get(
        &self,
        device: &wgpu::Device,
        kernel: Kernel,
        constants: Constants,
    ) -> Result<wgpu::ComputePipeline, Error> {
        let overrides = constants.overrides(kernel);
        let values = overrides.iter().map(|(_, value)| value.to_bits()).collect();
        self.made.get((kernel, values), || {
            span!("surprisal::make_pipeline", kernel = kernel.label());
            log::debug!("surprisal: making {} with {overrides:?}", kernel.label());
            let module =
                self.modules.get(kernel, || guarded(device, "a kernel", || module(device, kernel, self.checked)))?;
            guarded(device, "a pipeline", || pipeline(device, kernel, &overrides, &module, self.cache.as_ref()))
        })
    }
}

fn module(device: &wgpu::Device, kernel: Kernel, checked: bool) -> Module {
    let label = kernel.label();
    let text =
        wgpu::ShaderModuleDescriptor { label: Some(&label), source: wgpu::ShaderSource::Wgsl(kernel.source().into()) };
    let shader = if checked {
        device.create_shader_module(text)
    } else {
        // SAFETY: every index a kernel forms lies in its binding (rows and classes are clamped to the counts that the
        // bindings were sized by) and every loop ends at such a count; tests run the same kernels with the checks on,
        // and with guard words around every slice.
        unsafe { device.create_shader_module_trusted(text, wgpu::ShaderRuntimeChecks::unchecked()) }
    };
    let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some(&label),
        entries: &layout_entries(kernel),
    });
    let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some(&label),
        bind_group_layouts: &[Some(&layout)],
        immediate_size: 0,
    });
    Module { shader, layout }
}

fn pipeline(
    device: &wgpu::Device,
    kernel: Kernel,
    overrides: &[(&'static str, f64)],
    module: &Module,
    cache: Option<&wgpu::PipelineCache>,
) -> wgpu::ComputePipeline {
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(&kernel.label()),
        layout: Some(&module.layout),
        module: &module.shader,
        entry_point: Some(kernel.entry_point()),
        compilation_options: wgpu::PipelineCompilationOptions {
            constants: overrides,
            zero_initialize_workgroup_memory: false,
        },
        cache,
    })
}

fn layout_entries(kernel: Kernel) -> Vec<wgpu::BindGroupLayoutEntry> {
    let entry = |binding, ty, min_size: u64| wgpu::BindGroupLayoutEntry {
        binding,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty,
            has_dynamic_offset: false,
            min_binding_size: wgpu::BufferSize::new(min_size),
        },
        count: None,
    };
    let uniform = |&binding| entry(binding, wgpu::BufferBindingType::Uniform, size_of::<Params>() as u64);
    let mut entries: Vec<_> = kernel.uniforms().iter().map(uniform).collect();
    entries.extend(kernel.bindings().iter().map(|binding| {
        let ty = wgpu::BufferBindingType::Storage { read_only: !binding.read_write };
        entry(binding.slot as u32, ty, binding.element_bytes().unwrap_or(0))
    }));
    entries
}
