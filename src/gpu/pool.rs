use std::collections::HashMap;
use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};

use super::guard::guarded;
use crate::Error;

/// Buffers waiting to be used again, by size class and usage.
///
/// A buffer may return while the GPU still works on it: whoever takes it next writes it through the same queue, after
/// that work.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool {
    free: Arc<Mutex<Free>>,
}

/// Bytes that may wait: beyond this a buffer that comes back is let go.
const MAX_WAITING: u64 = 256 << 20;

#[derive(Debug, Default)]
struct Free {
    buffers: HashMap<(u64, wgpu::BufferUsages), Vec<wgpu::Buffer>>,
    bytes: u64,
}

impl Free {
    fn pop(&mut self, size: u64, usage: wgpu::BufferUsages) -> Option<wgpu::Buffer> {
        let buffer = self.buffers.get_mut(&(size, usage))?.pop()?;
        self.bytes -= size;
        Some(buffer)
    }

    fn push(&mut self, buffer: wgpu::Buffer) {
        if self.bytes + buffer.size() <= MAX_WAITING {
            self.bytes += buffer.size();
            self.buffers.entry((buffer.size(), buffer.usage())).or_default().push(buffer);
        }
    }
}

/// A buffer on loan; it goes back when dropped.
#[derive(Debug)]
pub(super) struct Pooled {
    buffer: Option<wgpu::Buffer>,
    pool: Pool,
}

impl Pool {
    /// A buffer of at least `size` bytes; what it holds is left over.
    pub fn take(
        &self,
        device: &wgpu::Device,
        what: &'static str,
        size: u64,
        usage: wgpu::BufferUsages,
    ) -> Result<Pooled, Error> {
        let limit = device.limits().max_buffer_size;
        if size > limit {
            return Err(Error::TooLarge { what: "bytes of one buffer", found: size, limit });
        }
        let size = size_class(size).min(limit - limit % wgpu::COPY_BUFFER_ALIGNMENT);
        let waiting = self.lock().pop(size, usage);
        let buffer = match waiting {
            Some(buffer) => buffer,
            None => {
                let label = format!("surprisal {what}");
                let label = Some(label.as_str());
                let descriptor = wgpu::BufferDescriptor { label, size, usage, mapped_at_creation: false };
                guarded(device, what, || device.create_buffer(&descriptor))?
            }
        };
        Ok(Pooled { buffer: Some(buffer), pool: self.clone() })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sizes are rounded up by at most an eighth, so that calls of about the same size share buffers.
fn size_class(size: u64) -> u64 {
    let size = size.max(256);
    let step = (size.next_power_of_two() / 16).max(256);
    size.next_multiple_of(step)
}

impl Pooled {
    /// Keeps the buffer from going back: it is in a state nobody else may see.
    pub fn discard(mut self) {
        if let Some(buffer) = self.buffer.take() {
            buffer.destroy();
        }
    }
}

impl Deref for Pooled {
    type Target = wgpu::Buffer;
    fn deref(&self) -> &wgpu::Buffer {
        self.buffer.as_ref().expect("only discard, which consumes self, takes the buffer")
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        if let Some(buffer) = self.buffer.take() {
            self.pool.lock().push(buffer);
        }
    }
}
