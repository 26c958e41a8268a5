//! Buffers of 4-byte words: made, run on and read back.

use surprisal::wgpu::{self, BufferUsages, util::DeviceExt};

use crate::{Result, kernels::Call};

pub const WORD: u64 = 4;
/// 256: WebGPU's default alignment of a uniform's offset, in words.
pub const SLOT_WORDS: usize = (256 / WORD) as usize;

/// A device and its queue.
pub struct Tensors {
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
}

impl Tensors {
    pub fn new(device: &wgpu::Device, queue: &wgpu::Queue) -> Self {
        Tensors { device: device.clone(), queue: queue.clone() }
    }

    pub fn upload<T: bytemuck::NoUninit>(&self, label: &str, values: &[T]) -> wgpu::Buffer {
        let contents = bytemuck::cast_slice(values);
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC;
        self.device.create_buffer_init(&wgpu::util::BufferInitDescriptor { label: Some(label), contents, usage })
    }

    pub fn zeros(&self, label: &str, n: usize) -> wgpu::Buffer {
        let usage = BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST;
        self.buffer(label, n as u64 * WORD, usage)
    }

    /// `n` slots, for one uniform each.
    pub fn uniform_slots(&self, label: &str, n: usize) -> wgpu::Buffer {
        self.buffer(label, (n * SLOT_WORDS) as u64 * WORD, BufferUsages::UNIFORM | BufferUsages::COPY_DST)
    }

    /// The word at the start of the k-th slot.
    pub fn uniform_slot(slots: &wgpu::Buffer, k: usize) -> wgpu::BufferSlice<'_> {
        let start = (k * SLOT_WORDS) as u64 * WORD;
        slots.slice(start..start + WORD)
    }

    fn buffer(&self, label: &str, size: u64, usage: BufferUsages) -> wgpu::Buffer {
        let label = Some(label);
        self.device.create_buffer(&wgpu::BufferDescriptor { label, size, usage, mapped_at_creation: false })
    }

    pub fn encoder(&self) -> wgpu::CommandEncoder {
        self.device.create_command_encoder(&Default::default())
    }

    pub fn submit(&self, calls: &[&Call]) {
        let mut encoder = self.encoder();
        let mut pass = encoder.begin_compute_pass(&Default::default());
        calls.iter().for_each(|call| call.record(&mut pass));
        drop(pass);
        self.queue.submit([encoder.finish()]);
    }

    /// The words of each buffer; waits for all that was submitted before.
    pub fn read(&self, buffers: &[&wgpu::Buffer]) -> Result<Vec<Vec<f32>>> {
        let size = buffers.iter().map(|buffer| buffer.size()).sum();
        let staging = self.buffer("staging", size, BufferUsages::MAP_READ | BufferUsages::COPY_DST);
        let mut encoder = self.encoder();
        let mut offset = 0;
        for buffer in buffers {
            encoder.copy_buffer_to_buffer(buffer, 0, &staging, offset, buffer.size());
            offset += buffer.size();
        }
        let (sender, receiver) = std::sync::mpsc::channel();
        encoder.map_buffer_on_submit(&staging, wgpu::MapMode::Read, .., move |mapped| {
            sender.send(mapped).expect("`read` waits for the result");
        });
        self.queue.submit([encoder.finish()]);
        self.device.poll(wgpu::PollType::wait_indefinitely())?;
        receiver.recv()??;

        let bytes = staging.get_mapped_range(..)?;
        let mut words = bytes.chunks_exact(WORD as usize).map(bytemuck::pod_read_unaligned);
        Ok(buffers.iter().map(|buffer| words.by_ref().take((buffer.size() / WORD) as usize).collect()).collect())
    }
}
