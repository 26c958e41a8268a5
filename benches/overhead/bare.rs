use surprisal::wgpu::{self, BufferUsages, util::DeviceExt};

use super::tensors::Tensors;

/// Bytes of surprisal's parameters, one dispatch's, and of its constants: five numbers an alignment apart, a class factor
/// and an ignored label.
const PARAMS: usize = 256;
const CONSTANTS: usize = 5 * 256 + 8;

/// The wgpu calls alone, as many and as large as a cross-entropy's, for kernels that do nothing.
pub struct Bare {
    /// One for each dispatch.
    pipelines: Vec<wgpu::ComputePipeline>,
}

impl Bare {
    pub fn new(device: &wgpu::Device, dispatches: usize) -> Bare {
        let module = device.create_shader_module(wgpu::include_wgsl!("bare.wgsl"));
        let pipeline = |_| {
            device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some("bare"),
                layout: None,
                module: &module,
                entry_point: Some("bare"),
                compilation_options: Default::default(),
                cache: None,
            })
        };
        Bare { pipelines: (0..dispatches).map(pipeline).collect() }
    }

    /// Two small buffers, and a bind group for each dispatch.
    pub fn bind(&self, device: &wgpu::Device, tensors: &Tensors) -> Vec<wgpu::BindGroup> {
        let small = |size: usize, usage| {
            let contents = &vec![0; size];
            device.create_buffer_init(&wgpu::util::BufferInitDescriptor { label: Some("bare"), contents, usage })
        };
        let params = small(PARAMS, BufferUsages::UNIFORM);
        let constants = small(CONSTANTS, BufferUsages::STORAGE);
        let Tensors { logits, labels, values, dlogits } = tensors;
        let bindings = [
            (0, &params),
            (1, logits),
            (2, labels),
            (3, &constants),
            (5, &constants),
            (6, &constants),
            (8, values),
            (9, dlogits),
        ];
        let entries =
            bindings.map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() });
        let bind_group = |pipeline: &wgpu::ComputePipeline| {
            let layout = &pipeline.get_bind_group_layout(0);
            device.create_bind_group(&wgpu::BindGroupDescriptor { label: Some("bare"), layout, entries: &entries })
        };
        self.pipelines.iter().map(bind_group).collect()
    }

    /// A compute pass of the dispatches.
    pub fn record(&self, bind_groups: &[wgpu::BindGroup], encoder: &mut wgpu::CommandEncoder) {
        let descriptor = wgpu::ComputePassDescriptor { label: Some("bare"), timestamp_writes: None };
        let mut pass = encoder.begin_compute_pass(&descriptor);
        for (pipeline, bind_group) in self.pipelines.iter().zip(bind_groups) {
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, bind_group, &[]);
            pass.dispatch_workgroups(1, 1, 1);
        }
    }
}
