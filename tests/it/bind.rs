//! Binding slices and making engines: every refusal with its message, on a device that does nothing.
mod descriptions;
mod devices;
mod slices;
mod warm;

use surprisal::kernel::Variant;
use surprisal::{GpuEngine, Options, wgpu};

/// An engine on wgpu's device without a driver: it validates everything and dispatches nothing.
fn noop(variant: Variant) -> GpuEngine {
    let (device, queue) =
        noop_device(wgpu::Features::SUBGROUP, |limits| limits.max_storage_buffers_per_shader_stage = 10);
    GpuEngine::with_options(&device, &queue, Options::default().variant(variant))
        .expect("noop grants what it is asked for")
}

fn noop_device(features: wgpu::Features, change: impl Fn(&mut wgpu::Limits)) -> (wgpu::Device, wgpu::Queue) {
    let mut required_limits = wgpu::Limits::default();
    change(&mut required_limits);
    let descriptor =
        wgpu::DeviceDescriptor { required_features: features, required_limits, ..wgpu::DeviceDescriptor::default() };
    wgpu::Device::noop(&descriptor)
}

/// Two devices of one instance: across instances wgpu does not look.
fn noop_pair() -> [GpuEngine; 2] {
    let options = wgpu::NoopBackendOptions { enable: true, ..wgpu::NoopBackendOptions::default() };
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    (descriptor.backends, descriptor.backend_options.noop) = (wgpu::Backends::NOOP, options);
    let instance = wgpu::Instance::new(descriptor);
    let adapter = pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default()));
    let adapter = adapter.expect("the noop adapter is always there");
    [(); 2].map(|_| {
        let device = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor::default()));
        let (device, queue) = device.expect("noop grants the defaults");
        GpuEngine::with_options(&device, &queue, Options::default()).expect("the defaults suffice")
    })
}
