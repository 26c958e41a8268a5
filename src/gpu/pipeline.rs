use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::guard::guarded;
use crate::Error;
use crate::kernel::{Constants, Kernel, Program, Variant};
use crate::params::Params;

/// Compute pipelines, made once per kernel and constants.
#[derive(Debug, Default)]
pub(super) struct Pipelines {
    cache: Mutex<HashMap<(Kernel, Constants), wgpu::ComputePipeline>>,
    /// Keep naga's run-time checks (bounds, loops): for tests that prove they are not needed.
    checked: bool,
}

impl Pipelines {
    pub fn new(checked: bool) -> Self {
        Pipelines { checked, ..Self::default() }
    }

    pub fn get(
        &self,
        device: &wgpu::Device,
        kernel: Kernel,
        constants: Constants,
    ) -> Result<wgpu::ComputePipeline, Error> {
        let key = (kernel, constants);
        let mut cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pipeline) = cache.get(&key) {
            return Ok(pipeline.clone());
        }
        let pipeline = guarded(device, "a pipeline", || create(device, kernel, constants, self.checked))?;
        cache.insert(key, pipeline.clone());
        Ok(pipeline)
    }
}

fn create(device: &wgpu::Device, kernel: Kernel, constants: Constants, checked: bool) -> wgpu::ComputePipeline {
    let label = kernel.label();
    let module =
        wgpu::ShaderModuleDescriptor { label: Some(&label), source: wgpu::ShaderSource::Wgsl(kernel.source().into()) };
    let module = if checked {
        device.create_shader_module(module)
    } else {
        // SAFETY: every index a kernel forms lies in its binding (rows and classes are clamped to the counts that the
        // bindings were sized by) and every loop ends at such a count; tests run the same kernels with the checks on,
        // and with guard words around every slice.
        unsafe { device.create_shader_module_trusted(module, wgpu::ShaderRuntimeChecks::unchecked()) }
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
    device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(&label),
        layout: Some(&layout),
        module: &module,
        entry_point: Some(kernel.entry_point()),
        compilation_options: wgpu::PipelineCompilationOptions {
            constants: &overrides(kernel, constants),
            zero_initialize_workgroup_memory: false,
        },
        cache: None,
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
    let mut entries = vec![entry(0, wgpu::BufferBindingType::Uniform, size_of::<Params>() as u64)];
    entries.extend(kernel.bindings().iter().map(|binding| {
        let ty = wgpu::BufferBindingType::Storage { read_only: !binding.read_write };
        entry(binding.slot as u32, ty, 0)
    }));
    entries
}

/// The overrides a kernel's text declares, by name.
fn overrides(kernel: Kernel, constants: Constants) -> Vec<(&'static str, f64)> {
    let mut list = vec![
        ("WORKGROUP_SIZE", constants.workgroup_size.into()),
        ("LANES", constants.lanes.into()),
        ("PER_ROW", f64::from(u8::from(constants.per_row))),
        ("CLASS_FACTORS", f64::from(u8::from(constants.class_factors))),
        ("LABEL_SMOOTHING", f64::from(u8::from(constants.label_smoothing))),
        ("TEMPERATURE", f64::from(u8::from(constants.temperature))),
    ];
    for binding in kernel.bindings() {
        list.extend(binding.storage.map(|name| (name, f64::from(constants.storage[binding.slot as usize - 1] as u8))));
    }
    if kernel.variant == Variant::Subgroup {
        list.push(("SUBGROUP_MIN", constants.subgroup_sizes.0.into()));
        list.push(("SUBGROUP_MAX", constants.subgroup_sizes.1.into()));
    }
    if !matches!(kernel.program, Program::Loss { .. }) {
        list.push(("TERMS_PER_LANE", constants.terms_per_lane.into()));
    }
    if kernel.program == Program::SumValues {
        list.push(("FINAL", f64::from(u8::from(constants.last_sum))));
    }
    list
}
