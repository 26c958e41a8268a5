use surprisal::wgpu::{self, BufferUsages};
use surprisal::{Pass, Shape};

use crate::tensors::Tensors;

/// Invocations per workgroup, in every kernel.
const WORKGROUP: usize = 256;
/// Workgroups along x; more go along y.
const GRID_WIDTH: usize = 32768;

/// Cross-entropy as a framework without fusion runs it: one kernel per primitive, every intermediate in memory.
pub struct Composed {
    calls: Vec<Call>,
}

struct Call {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    grid: (u32, u32),
}

/// Makes calls for one shape.
struct Kernels<'a> {
    device: &'a wgpu::Device,
    rows: wgpu::ShaderModule,
    elements: wgpu::ShaderModule,
}

impl Composed {
    /// Values and `dlogits` of the mean cross-entropy with labels; tensors that are done with are used again.
    pub fn cross_entropy(device: &wgpu::Device, tensors: &Tensors, pass: Pass) -> Composed {
        let Tensors { shape, logits, labels, values, dlogits, .. } = tensors;
        let shape = *shape;
        let kernels = Kernels::new(device);
        let row_numbers = || {
            let size = (shape.n_rows * size_of::<f32>()) as u64;
            let descriptor =
                wgpu::BufferDescriptor { label: None, size, usage: BufferUsages::STORAGE, mapped_at_creation: false };
            device.create_buffer(&descriptor)
        };
        let (max, sum, log, losses) = (row_numbers(), row_numbers(), row_numbers(), row_numbers());
        let (shifted, exp, log_probs, probs) = (values, dlogits, dlogits, values);
        let (n_rows, n_elements) = (shape.n_rows, shape.n_elements());

        // log_softmax(x) = (x - max x) - log sum exp(x - max x), and its entry at the label.
        let mut calls = vec![
            kernels.reduce("row_max", shape, logits, &max),
            kernels.map("subtract_rows", shape, n_elements, &[logits, &max], shifted),
            kernels.map("exponential", shape, n_elements, &[shifted], exp),
            kernels.reduce("row_sum", shape, exp, &sum),
            kernels.map("logarithm", shape, n_rows, &[&sum], &log),
            kernels.map("subtract_rows", shape, n_elements, &[shifted, &log], log_probs),
            kernels.map("take_labels", shape, n_rows, &[log_probs, labels], &losses),
        ];
        if pass == Pass::ForwardBackward {
            // (softmax(x) - one-hot) / N
            calls.push(kernels.map("exponential", shape, n_elements, &[log_probs], probs));
            calls.push(kernels.map("subtract_one_hot", shape, n_elements, &[probs, labels], dlogits));
        }
        // Last, as `values` held an intermediate.
        calls.push(kernels.reduce("row_sum", Shape::new(1, n_rows), &losses, values));
        Composed { calls }
    }

    pub fn record_in(&self, pass: &mut wgpu::ComputePass<'_>) {
        for call in &self.calls {
            pass.set_pipeline(&call.pipeline);
            pass.set_bind_group(0, &call.bind_group, &[]);
            pass.dispatch_workgroups(call.grid.0, call.grid.1, 1);
        }
    }
}

impl Kernels<'_> {
    fn new(device: &wgpu::Device) -> Kernels<'_> {
        let module = |descriptor| {
            // SAFETY: rows, classes and elements are below the sizes of the buffers bound, labels below the number of
            // classes, and every loop ends at such a number. Surprisal's kernels are timed without checks, too.
            unsafe { device.create_shader_module_trusted(descriptor, wgpu::ShaderRuntimeChecks::unchecked()) }
        };
        Kernels {
            device,
            rows: module(wgpu::include_wgsl!("composed/rows.wgsl")),
            elements: module(wgpu::include_wgsl!("composed/elements.wgsl")),
        }
    }

    /// `[n_rows, n_classes]` to `[n_rows]`. Few classes share a workgroup among rows.
    fn reduce(&self, entry: &str, shape: Shape, x: &wgpu::Buffer, y: &wgpu::Buffer) -> Call {
        let lanes = shape.n_classes.div_ceil(8).next_power_of_two().min(WORKGROUP);
        let constants = [("LANES", lanes), ("N_ROWS", shape.n_rows), ("N_CLASSES", shape.n_classes)];
        self.call(&self.rows, entry, &constants, &[x, y], shape.n_rows * lanes)
    }

    /// One invocation for each of `n` results.
    fn map(&self, entry: &str, shape: Shape, n: usize, inputs: &[&wgpu::Buffer], y: &wgpu::Buffer) -> Call {
        let constants = [("N", n), ("N_ROWS", shape.n_rows), ("N_CLASSES", shape.n_classes)];
        self.call(&self.elements, entry, &constants, &[inputs, &[y]].concat(), n)
    }

    /// `buffers` are bound from 0 on, but for the last, the result: it is binding 3.
    fn call(
        &self,
        module: &wgpu::ShaderModule,
        entry: &str,
        constants: &[(&str, usize)],
        buffers: &[&wgpu::Buffer],
        n_invocations: usize,
    ) -> Call {
        let constants: Vec<_> = constants.iter().map(|&(name, value)| (name, value as f64)).collect();
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(entry),
            layout: None,
            module,
            entry_point: Some(entry),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &constants,
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        });
        let binding = |k| if k + 1 == buffers.len() { 3 } else { k as u32 };
        let entries: Vec<_> = (0..buffers.len())
            .map(|k| wgpu::BindGroupEntry { binding: binding(k), resource: buffers[k].as_entire_binding() })
            .collect();
        let bind_group = self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(entry),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        let n_groups = n_invocations.div_ceil(WORKGROUP);
        let width = n_groups.min(GRID_WIDTH);
        Call { pipeline, bind_group, grid: (width as u32, n_groups.div_ceil(width) as u32) }
    }
}
