use std::sync::atomic::{AtomicUsize, Ordering};

use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use surprisal::kernel::Kernel;
use surprisal::wgpu;

/// A kernel's text as naga sees it.
pub struct Parsed {
    pub label: String,
    pub kernel: Kernel,
    pub source: String,
    pub module: naga::Module,
    pub info: ModuleInfo,
}

/// What naga must be told a kernel may use.
pub fn capabilities(kernel: Kernel) -> Capabilities {
    let known = [
        (wgpu::Features::SUBGROUP, Capabilities::SUBGROUP),
        (wgpu::Features::SHADER_INT64, Capabilities::SHADER_INT64),
    ];
    let mut unknown = kernel.features();
    let mut capabilities = Capabilities::empty();
    for (feature, capability) in known {
        if unknown.contains(feature) {
            (unknown, capabilities) = (unknown - feature, capabilities | capability);
        }
    }
    assert!(unknown.is_empty(), "{} needs {unknown:?}", kernel.label());
    capabilities
}

/// Whether naga accepts the module with these capabilities; its reasons if not.
pub fn validate(module: &naga::Module, capabilities: Capabilities) -> Result<ModuleInfo, String> {
    let validated = Validator::new(ValidationFlags::all(), capabilities).validate(module);
    validated.map_err(|error| format!("{:?}", error.into_inner()))
}

/// Parses and validates, with no more than the kernel declares.
fn parsed(kernel: Kernel) -> Parsed {
    let (label, source) = (kernel.label(), kernel.source());
    let module = naga::front::wgsl::parse_str(&source);
    let module = module.unwrap_or_else(|error| panic!("{label}: {}", error.emit_to_string(&source)));
    let info = validate(&module, capabilities(kernel)).unwrap_or_else(|error| panic!("{label}: {error}"));
    Parsed { label, kernel, source, module, info }
}

/// Runs `check`, which panics to fail, for each of these, on every core. A kernel is parsed and dropped again: all of
/// them together take gigabytes.
pub fn for_each(kernels: &[Kernel], check: impl Fn(&Parsed) + Sync) {
    let next = AtomicUsize::new(0);
    let work = || {
        while let Some(&kernel) = kernels.get(next.fetch_add(1, Ordering::Relaxed)) {
            check(&parsed(kernel));
        }
    };
    let n_threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..n_threads).for_each(|_| drop(scope.spawn(work))));
}
