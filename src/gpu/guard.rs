#[cfg(not(target_arch = "wasm32"))]
use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    pin::pin,
    task::{Context, Poll, Waker},
};

use crate::Error;

/// Runs `create` and returns what wgpu has against it as an error instead of a panic. Of a device that is lost wgpu says
/// nothing: what was made is of no use then, as the next wait tells.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn guarded<T>(device: &wgpu::Device, what: &'static str, create: impl FnOnce() -> T) -> Result<T, Error> {
    let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let validation = device.push_error_scope(wgpu::ErrorFilter::Validation);
    let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
    let made = create();
    // Scopes close in the order opposite to their opening.
    let internal = now(internal.pop());
    let validation = now(validation.pop());
    let memory = now(memory.pop());
    if let Some(error) = memory {
        return Err(Error::OutOfMemory { what, message: error.to_string() });
    }
    match validation.or(internal) {
        Some(error) => Err(Error::Wgpu { what, message: error.to_string() }),
        None => Ok(made),
    }
}

/// Polls the device. Of one that is lost, by a GPU reset say, native wgpu lets us know by a panic, which is made an error;
/// any other panic is that of a callback of the app's and goes on. Where panics abort, this one does.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn polled(device: &wgpu::Device, until: wgpu::PollType) -> Result<(), Error> {
    let poll = AssertUnwindSafe(|| device.poll(until));
    match catch_unwind(poll) {
        Ok(polled) => polled.map(drop).map_err(|error| Error::DeviceLost { message: error.to_string() }),
        Err(panic) => match panic.downcast::<String>() {
            Ok(message) if message.starts_with("Error in Device::poll") => Err(Error::DeviceLost { message: *message }),
            Ok(other) => resume_unwind(other),
            Err(other) => resume_unwind(other),
        },
    }
}

/// A browser polls by itself.
#[cfg(target_arch = "wasm32")]
pub(super) fn polled(_device: &wgpu::Device, _until: wgpu::PollType) -> Result<(), Error> {
    Ok(())
}

/// A browser tells its verdict later, to the handler of the device's uncaptured errors, unless a scope takes it away.
#[cfg(target_arch = "wasm32")]
pub(super) fn guarded<T>(_device: &wgpu::Device, _what: &'static str, create: impl FnOnce() -> T) -> Result<T, Error> {
    Ok(create())
}

/// A buffer with these bytes, padded to whole words.
pub(super) fn buffer_of(
    device: &wgpu::Device,
    what: &'static str,
    bytes: &[u8],
    usage: wgpu::BufferUsages,
) -> Result<wgpu::Buffer, Error> {
    let size = bytes.len().next_multiple_of(wgpu::COPY_BUFFER_ALIGNMENT as usize) as u64;
    let limit = device.limits().max_buffer_size;
    if size > limit {
        return Err(Error::TooLarge { what: "bytes of one buffer", found: size, limit });
    }
    let label = format!("surprisal {what}");
    let descriptor = wgpu::BufferDescriptor { label: Some(&label), size, usage, mapped_at_creation: true };
    let buffer = guarded(device, what, || device.create_buffer(&descriptor))?;
    let refused = |error: wgpu::MapRangeError| Error::Wgpu { what, message: error.to_string() };
    buffer.get_mapped_range_mut(..bytes.len() as u64).map_err(refused)?.copy_from_slice(bytes);
    guarded(device, what, || buffer.unmap())?;
    Ok(buffer)
}

/// The future's value: native wgpu knows its verdict at once.
#[cfg(not(target_arch = "wasm32"))]
fn now(future: impl Future<Output = Option<wgpu::Error>>) -> Option<wgpu::Error> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(error) => error,
        Poll::Pending => None,
    }
}
