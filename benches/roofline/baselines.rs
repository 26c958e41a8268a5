use surprisal::wgpu;

/// Lanes of a workgroup, and workgroups: enough to fill any GPU, few enough for each lane to go on for a while.
const WORKGROUP_SIZE: u64 = 256;
const WORKGROUPS: u64 = 4096;
/// Bytes that a lane moves at a time.
const STEP: u64 = 16;

/// What an operation is held against: the same bytes, moved and no more.
pub struct Baselines {
    source: wgpu::Buffer,
    target: wgpu::Buffer,
    /// Bytes that one kernel moves: as many as a binding holds of the buffer.
    bound: u64,
    workgroups: u32,
    copy: Kernel,
    read: Kernel,
}

struct Kernel {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
}

impl Baselines {
    pub fn new(device: &wgpu::Device, source: &wgpu::Buffer, target: &wgpu::Buffer) -> Baselines {
        let text = wgpu::include_wgsl!("baselines.wgsl");
        // SAFETY: every index is below the length of `source`, and both bindings are of one size. What is timed beside
        // them goes without checks, too.
        let module = unsafe { device.create_shader_module_trusted(text, wgpu::ShaderRuntimeChecks::unchecked()) };
        let bound = source.size().min(device.limits().max_storage_buffer_binding_size) / STEP * STEP;
        let kernel = |entry| {
            let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(entry),
                layout: None,
                module: &module,
                entry_point: Some(entry),
                compilation_options: Default::default(),
                cache: None,
            });
            let entries = [(0, source), (1, target)].map(|(binding, buffer)| wgpu::BindGroupEntry {
                binding,
                resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                    buffer,
                    offset: 0,
                    size: wgpu::BufferSize::new(bound),
                }),
            });
            let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &pipeline.get_bind_group_layout(0),
                entries: &entries,
            });
            Kernel { pipeline, bind_group }
        };
        let workgroups = bound.div_ceil(STEP * WORKGROUP_SIZE).min(WORKGROUPS) as u32;
        let (copy, read) = (kernel("copy_words"), kernel("read_words"));
        Baselines { source: source.clone(), target: target.clone(), bound, workgroups, copy, read }
    }

    /// Bytes read, and as many written by a copy.
    pub fn bytes(&self) -> u64 {
        self.bound
    }

    pub fn copy_buffer(&self, encoder: &mut wgpu::CommandEncoder) {
        encoder.copy_buffer_to_buffer(&self.source, 0, &self.target, 0, self.bound);
    }

    pub fn copy(&self, pass: &mut wgpu::ComputePass<'_>) {
        self.dispatch(&self.copy, pass);
    }

    pub fn read(&self, pass: &mut wgpu::ComputePass<'_>) {
        self.dispatch(&self.read, pass);
    }

    fn dispatch(&self, kernel: &Kernel, pass: &mut wgpu::ComputePass<'_>) {
        pass.set_pipeline(&kernel.pipeline);
        pass.set_bind_group(0, &kernel.bind_group, &[]);
        pass.dispatch_workgroups(self.workgroups, 1, 1);
    }
}
