//! A grid of two dimensions may have more workgroups than there are rows for; those must write nothing, since what they
//! would write to lies past the binding's end and nothing checks it.

use std::collections::HashSet;

use surprisal::kernel::{Access, Gradient, Kernel, Program, Variant};
use surprisal::{Family, Form, GpuEngine, Params, wgpu};
use wgpu::util::DeviceExt;

use crate::support::device::gpus;
use crate::support::staged::{POISON, download, launch};

const WORDS: usize = 64;
/// One row of four classes: work for one workgroup.
const N_CLASSES: u32 = 4;

fn buffer(engine: &GpuEngine, words: &[u32], usage: wgpu::BufferUsages) -> wgpu::Buffer {
    let descriptor = wgpu::util::BufferInitDescriptor { label: None, contents: bytemuck::cast_slice(words), usage };
    engine.device().create_buffer_init(&descriptor)
}

fn pipeline(engine: &GpuEngine, kernel: Kernel, label: &str) -> wgpu::ComputePipeline {
    let source = wgpu::ShaderSource::Wgsl(kernel.source().into());
    let module = engine.device().create_shader_module(wgpu::ShaderModuleDescriptor { label: Some(label), source });
    // What is written depends on no option; without them a kernel is made in half the time.
    let options = ["CLASS_FACTORS", "LABEL_SMOOTHING", "TEMPERATURE", "SOFTCAP", "ROW_EXTRAS", "PYTORCH_CORNERS"];
    let constants: Vec<_> = options.map(|name| (name, 0.0)).into_iter().chain([("LANES", 1.0)]).collect();
    engine.device().create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(label),
        layout: None,
        module: &module,
        entry_point: Some(kernel.entry_point()),
        compilation_options: wgpu::PipelineCompilationOptions { constants: &constants, ..Default::default() },
        cache: None,
    })
}

/// What the kernel's buffers hold after so many workgroups.
fn results(engine: &GpuEngine, kernel: Kernel, n_groups: u32) -> Vec<Vec<u32>> {
    let (label, usage) = (kernel.label(), wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC);
    let pipeline = pipeline(engine, kernel, &label);
    let strides =
        Params { logits_stride: 4, targets_stride: 4, dlogits_stride: 4, values_stride: 4, ..Params::default() };
    let row = Params { n_classes: N_CLASSES, end_class: N_CLASSES, last_row: N_CLASSES, ..strides };
    let shape = Params { n_rows: 1, inner: 1, ..row };
    let params = Params { grid_width: n_groups, ..shape };
    let params = buffer(engine, bytemuck::cast_slice(&[params]), wgpu::BufferUsages::UNIFORM);
    let words = |written| [if written { POISON } else { 0 }; WORDS];
    let buffers: Vec<_> = kernel.bindings().iter().map(|b| buffer(engine, &words(b.written), usage)).collect();
    let uniforms = kernel.uniforms().iter().map(|&binding| (binding, params.clone()));
    let slots = kernel.bindings().into_iter().map(|binding| binding.slot as u32);
    launch(engine, &pipeline, uniforms.chain(slots.zip(buffers.iter().cloned())), n_groups);
    buffers.iter().map(|buffer| download(engine, buffer)).collect()
}

/// What the stores of a kernel depend on: not on which loss of its family it computes, nor on what a teacher's numbers
/// stand for, nor on whether the gradient has a slice of its own.
fn stores(kernel: &Kernel) -> Option<Kernel> {
    let program = match kernel.program {
        Program::Loss { family: Family::Distribution { teacher, .. }, .. } if teacher != Form::Probs => return None,
        Program::Loss { family: Family::Distillation { teacher, .. }, .. } if teacher != Form::Probs => return None,
        Program::Loss { family: Family::Distillation { teacher, support, terms, .. }, entry, values, .. } => {
            let family = Family::Distillation { hard: "", soft: "", teacher, support, terms };
            Program::Loss { family, loss: "", entry, values }
        }
        Program::Loss { family, entry, values, .. } => Program::Loss { family, loss: "", entry, values },
        other => other,
    };
    let plain = kernel.access == Access::Split && kernel.gradient == Gradient::Separate;
    (plain && kernel.variant == Variant::Workgroup).then_some(Kernel { program, ..*kernel })
}

/// Kernels with stores of their own. Whether there is one is a program's concern, how it stores that of a width or of
/// tiles that are kept: of these ways a program has every fifth, which are others in the next program.
fn kernels() -> Vec<Kernel> {
    let mut seen = HashSet::new();
    let mut kernels: Vec<_> = Kernel::all().into_iter().filter_map(|kernel| Some((stores(&kernel)?, kernel))).collect();
    kernels.retain(|(stores, _)| seen.insert(*stores));
    let programs = kernels.chunk_by(|(a, _), (b, _)| a.program == b.program).enumerate();
    let ways = programs.flat_map(|(turn, ways)| ways.iter().skip(turn % ways.len().min(5)).step_by(5));
    ways.map(|&(_, kernel)| kernel).collect()
}

#[test]
fn workgroups_past_the_last_row_write_nothing() {
    let mut kernels = kernels();
    assert!(kernels.len() > 100, "{} kernels", kernels.len());
    if let Some(engine) = gpus().next() {
        kernels.retain(|&kernel| results(engine, kernel, 1) != results(engine, kernel, 3));
        let guilty: Vec<_> = kernels.iter().map(Kernel::label).collect();
        assert!(guilty.is_empty(), "{} kernels write past the last row: {guilty:#?}", guilty.len());
    }
}
