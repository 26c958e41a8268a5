use burn::tensor::wgpu::{WgpuSetup, wgpu};
use wgpu::BufferUsages;

use surprisal_peers::Batch;

/// The logits' bytes from one buffer to another.
pub struct Copy {
    device: wgpu::Device,
    queue: wgpu::Queue,
    from: wgpu::Buffer,
    to: wgpu::Buffer,
}

impl Copy {
    pub fn new(setup: &WgpuSetup, batch: &Batch) -> Copy {
        let WgpuSetup { device, queue, .. } = setup;
        let buffer = || {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: size_of_val(&*batch.logits) as u64,
                usage: BufferUsages::COPY_SRC | BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        };
        let from = buffer();
        queue.write_buffer(&from, 0, bytemuck::cast_slice(&batch.logits));
        Copy { device: device.clone(), queue: queue.clone(), from, to: buffer() }
    }

    /// Until the queue is idle.
    pub fn run(&self) {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&self.from, 0, &self.to, 0, None);
        self.queue.submit([encoder.finish()]);
        self.device.poll(wgpu::PollType::wait_indefinitely()).expect("the device is not lost");
    }
}
