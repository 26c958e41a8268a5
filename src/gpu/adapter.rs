use super::{GpuEngine, Options};
use crate::Error;

/// The variable that asks for an adapter.
const VARIABLE: &str = "SURPRISAL_ADAPTER";

/// What a caller wants computed on.
#[derive(PartialEq)]
enum Wish {
    /// The best real GPU, or else the CPU.
    Best,
    Cpu,
    Software,
    /// An adapter whose description has these words.
    Words(String),
}

impl Wish {
    /// From an option's words or, without, from the variable's.
    fn new(words: Option<&str>) -> Wish {
        let from_env = std::env::var(VARIABLE).ok();
        match words.or(from_env.as_deref()).map_or("", str::trim) {
            "" => Wish::Best,
            "cpu" => Wish::Cpu,
            "software" => Wish::Software,
            words => Wish::Words(words.to_string()),
        }
    }

    fn fits(&self, info: &wgpu::AdapterInfo) -> bool {
        let is_software = info.device_type == wgpu::DeviceType::Cpu;
        match self {
            Wish::Best => !is_software && info.backend != wgpu::Backend::Noop,
            Wish::Cpu => false,
            Wish::Software => is_software,
            Wish::Words(words) => {
                let description = describe(info).to_lowercase();
                words.split_whitespace().all(|word| description.contains(&word.to_lowercase()))
            }
        }
    }
}

impl std::fmt::Display for Wish {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Wish::Best => write!(f, "any GPU"),
            Wish::Cpu => write!(f, "\"cpu\""),
            Wish::Software => write!(f, "\"software\""),
            Wish::Words(words) => write!(f, "{words:?}"),
        }
    }
}

/// An engine on the best adapter that fits and gives a device which serves; none where the CPU is to be used.
///
/// The CPU takes over only where neither an adapter nor a kernel variant or workgroup size was asked for.
pub(super) async fn open_best(options: Options) -> Result<Option<GpuEngine>, Error> {
    let wish = Wish::new(options.adapter.as_deref());
    let forced = options.variant.is_some() || options.workgroup_size.is_some();
    if options.pipeline_cache.is_some() {
        return Err(Error::ForeignCache);
    }
    if wish == Wish::Cpu {
        return Ok(None);
    }
    let mut seen = Vec::new();
    let mut refusal = None;
    // GL last: the explicit APIs have the same GPUs, and more of what they can do.
    for backends in [wgpu::Backends::PRIMARY, wgpu::Backends::SECONDARY] {
        let mut adapters = adapters(backends).await;
        seen.extend(adapters.iter().map(|adapter| describe(&adapter.get_info())));
        adapters.retain(|adapter| wish.fits(&adapter.get_info()));
        adapters.sort_by_key(|adapter| std::cmp::Reverse(rank(&adapter.get_info())));
        for adapter in adapters {
            let name = describe(&adapter.get_info());
            match GpuEngine::open(adapter, options.clone()).await {
                Ok(opened) => return Ok(Some(opened)),
                Err(error) => {
                    log::warn!("surprisal: {name} does not serve: {error}");
                    refusal.get_or_insert(error);
                }
            }
        }
    }
    match (wish, refusal) {
        (Wish::Best, _) if !forced => Ok(None),
        (_, Some(refusal)) => Err(refusal),
        (wish, None) => Err(Error::NoAdapter { reason: format!("asked for {wish}, found {seen:?}") }),
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
