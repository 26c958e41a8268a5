use std::sync::OnceLock;

use burn::tensor::Device;

use crate::support::kind;

/// The wgpu device of the tests, registered: software Vulkan is a `DeviceKind::Cpu` to burn.
pub fn registered() -> Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    let open = || {
        let options = Device::wgpu_options().device_kind(kind());
        let (device, setup) = options.init_with_setup().expect("tests need an adapter; README.md says which");
        surprisal_burn::register(&device, &setup).expect("burn's device has WebGPU's default limits");
        device
    };
    DEVICE.get_or_init(open).clone()
}
