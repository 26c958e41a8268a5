use crate::Error;

/// The variable that asks for an adapter.
const VARIABLE: &str = "SURPRISAL_ADAPTER";

/// The adapter to use: the best real GPU, or the one asked for in words; none where the CPU engine is to be used.
pub(super) async fn choose(words: Option<&str>) -> Result<Option<wgpu::Adapter>, Error> {
    let from_env = std::env::var(VARIABLE).ok();
    let words = words.or(from_env.as_deref()).map(str::trim).filter(|words| !words.is_empty());
    if words == Some("cpu") {
        return Ok(None);
    }
    let mut seen = Vec::new();
    // GL last, and only where the explicit APIs have nothing that fits.
    for backends in [wgpu::Backends::PRIMARY, wgpu::Backends::SECONDARY] {
        let adapters = adapters(backends).await;
        seen.extend(adapters.iter().map(|adapter| describe(&adapter.get_info())));
        let fitting = adapters.into_iter().filter(|adapter| fits(&adapter.get_info(), words));
        if let Some(adapter) = fitting.max_by_key(|adapter| rank(&adapter.get_info())) {
            return Ok(Some(adapter));
        }
    }
    match words {
        None => Ok(None),
        Some(words) => Err(Error::NoAdapter { reason: format!("asked for {words:?}, found {seen:?}") }),
    }
}

#[cfg(not(target_arch = "wasm32"))]
async fn adapters(backends: wgpu::Backends) -> Vec<wgpu::Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle().with_env();
    descriptor.backends &= backends;
    wgpu::Instance::new(descriptor).enumerate_adapters(backends).await
}

/// A browser offers one adapter at most.
#[cfg(target_arch = "wasm32")]
async fn adapters(backends: wgpu::Backends) -> Vec<wgpu::Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends &= backends;
    let instance = wgpu::Instance::new(descriptor);
    instance.request_adapter(&wgpu::RequestAdapterOptions::default()).await.into_iter().collect()
}

/// Whether an adapter is what was asked for: by default any that is hardware.
fn fits(info: &wgpu::AdapterInfo, words: Option<&str>) -> bool {
    match words {
        None => info.device_type != wgpu::DeviceType::Cpu && info.backend != wgpu::Backend::Noop,
        Some("software") => info.device_type == wgpu::DeviceType::Cpu,
        Some(words) => {
            let description = describe(info).to_lowercase();
            words.split_whitespace().all(|word| description.contains(&word.to_lowercase()))
        }
    }
}

/// Backend, name, driver: the words an adapter can be asked for by.
fn describe(info: &wgpu::AdapterInfo) -> String {
    format!("{:?} {} {} {}", info.backend, info.name, info.driver, info.driver_info).trim().to_string()
}

/// Discrete before integrated before the rest.
fn rank(info: &wgpu::AdapterInfo) -> u32 {
    match info.device_type {
        wgpu::DeviceType::DiscreteGpu => 4,
        wgpu::DeviceType::IntegratedGpu => 3,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 1,
        wgpu::DeviceType::Cpu => 0,
    }
}
