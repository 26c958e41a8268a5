use std::sync::{PoisonError, RwLock};

use burn::backend::DispatchDevice;
use burn::tensor::Device;
use burn::tensor::wgpu::WgpuSetup;
use burn_cubecl::CubeDevice;
use surprisal::{Engine, Error, GpuEngine, Options};

/// The devices asked for so far; those without an engine have been told that they are not registered.
static DEVICES: RwLock<Vec<(CubeDevice, Option<GpuEngine>)>> = RwLock::new(Vec::new());

/// Has the losses of this package computed by surprisal's kernels on a burn device: once, where the device is made, with
/// the handles it was made with or gave out.
///
/// A device that is not registered computes the same losses with burn's own operations. The Flex device needs no
/// registration. A second registration replaces the first.
///
/// Fails when the device grants fewer than the 256 invocations a workgroup or the 8 storage buffers of WebGPU's default
/// limits, or is none of burn's wgpu devices.
///
/// ```no_run
/// use burn::tensor::{Device, wgpu::WgpuSetup};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // A device that burn opens:
/// let (device, setup) = Device::wgpu_options().init_with_setup()?;
/// surprisal_burn::register(&device, &setup)?;
/// # Ok(()) }
///
/// // One that the app has opened:
/// fn shared(setup: WgpuSetup) -> Result<Device, Box<dyn std::error::Error>> {
///     let device = Device::wgpu_options().setup(setup.clone()).init()?;
///     surprisal_burn::register(&device, &setup)?;
///     Ok(device)
/// }
/// ```
pub fn register(device: &Device, setup: &WgpuSetup) -> Result<(), Error> {
    let DispatchDevice::Cube(cube @ CubeDevice::Wgpu(_)) = device.clone().without_autodiff().as_dispatch().clone()
    else {
        let message = format!("{device:?} is none of burn's wgpu devices; register the one that came with the setup");
        return Err(Error::Wgpu { what: "the registration of a burn device", message });
    };
    let engine = GpuEngine::with_options(&setup.device, &setup.queue, Options::default())?;
    let mut devices = DEVICES.write().unwrap_or_else(PoisonError::into_inner);
    devices.retain(|(known, _)| *known != cube);
    devices.push((cube, Some(engine)));
    Ok(())
}

/// The engine for tensors of this device; none, with one line in the log, where burn's own operations must do.
pub(crate) fn engine(device: &Device) -> Option<Engine> {
    let cube = match device.clone().without_autodiff().as_dispatch() {
        DispatchDevice::Cube(cube) => cube.clone(),
        DispatchDevice::Flex(_) => return Some(Engine::cpu()),
        _ => return None,
    };
    let devices = DEVICES.read().unwrap_or_else(PoisonError::into_inner);
    let known = devices.iter().find(|(known, _)| *known == cube).map(|(_, engine)| engine.clone());
    drop(devices);
    match known {
        Some(engine) => engine.map(Engine::from),
        None => {
            let mut devices = DEVICES.write().unwrap_or_else(PoisonError::into_inner);
            // Another thread may have asked meanwhile.
            if devices.iter().all(|(known, _)| *known != cube) {
                log::warn!("surprisal-burn: {cube:?} is not registered, so burn's own operations compute its losses");
                devices.push((cube, None));
            }
            None
        }
    }
}
