use burn::tensor::wgpu::{WgpuSetup, wgpu};
use surprisal::{Bound, Buffers, CrossEntropy, Error, GpuEngine, Options, Pass, Shape};
use wgpu::BufferUsages;

use surprisal_peers::{Batch, Results};

/// surprisal's cross-entropy and its gradient, on buffers as an app would own them.
pub struct Ours {
    device: wgpu::Device,
    queue: wgpu::Queue,
    bound: Bound,
    loss: wgpu::Buffer,
    dlogits: wgpu::Buffer,
}

impl Ours {
    pub fn new(setup: &WgpuSetup, batch: &Batch) -> Result<Ours, Error> {
        let WgpuSetup { device, queue, .. } = setup;
        let buffer = |size: usize| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: size as u64,
                usage: BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        };
        let (logits, labels) = (buffer(size_of_val(&*batch.logits)), buffer(size_of_val(&*batch.labels)));
        queue.write_buffer(&logits, 0, bytemuck::cast_slice(&batch.logits));
        queue.write_buffer(&labels, 0, bytemuck::cast_slice(&batch.labels));
        let (loss, dlogits) = (buffer(size_of::<f32>()), buffer(size_of_val(&*batch.logits)));
        let engine = GpuEngine::with_options(device, queue, Options::default())?;
        let plan =
            engine.plan(CrossEntropy::new(), Pass::ForwardBackward, Shape::new(batch.n_rows, batch.n_classes))?;
        let slices = Buffers::new(logits.slice(..)).targets(labels.slice(..));
        let bound = plan.bind(&slices.values(loss.slice(..)).dlogits(dlogits.slice(..)))?;
        Ok(Ours { device: device.clone(), queue: queue.clone(), bound, loss, dlogits })
    }

    /// Until the queue is idle.
    pub fn run(&self) {
        let mut encoder = self.device.create_command_encoder(&Default::default());
        self.bound.record(&mut encoder);
        self.queue.submit([encoder.finish()]);
        self.device.poll(wgpu::PollType::wait_indefinitely()).expect("the device is not lost");
    }

    pub fn results(&self) -> Results {
        self.run();
        (self.read(&self.loss)[0], self.read(&self.dlogits))
    }

    fn read(&self, buffer: &wgpu::Buffer) -> Vec<f32> {
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: buffer.size(),
            usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let mut encoder = self.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, None);
        encoder.map_buffer_on_submit(&staging, wgpu::MapMode::Read, .., |mapped| mapped.expect("it is ours alone"));
        self.queue.submit([encoder.finish()]);
        self.device.poll(wgpu::PollType::wait_indefinitely()).expect("the device is not lost");
        let bytes = staging.get_mapped_range(..).expect("mapped on submission, which is over");
        bytemuck::cast_slice(&bytes).to_vec()
    }
}
