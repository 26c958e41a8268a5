use std::panic::resume_unwind;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use naga::valid::{Capabilities, ModuleInfo, ValidationFlags, Validator};
use surprisal::kernel::Kernel;
use surprisal::wgpu;

/// A kernel's text as naga sees it.
pub struct Parsed {
    pub label: String,
    pub kernel: Kernel,
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

fn parse(kernel: Kernel) -> naga::Module {
    let source = kernel.source();
    let parsed = naga::front::wgsl::parse_str(&source);
    parsed.unwrap_or_else(|error| panic!("{}: {}", kernel.label(), error.emit_to_string(&source)))
}

/// Whether naga accepts the module with these capabilities; its reasons if not.
pub fn validate(module: &naga::Module, capabilities: Capabilities) -> Result<ModuleInfo, String> {
    let validated = Validator::new(ValidationFlags::all(), capabilities).validate(module);
    validated.map_err(|error| format!("{:?}", error.into_inner()))
}

/// Parses and validates, with no more than the kernel declares.
fn parsed(kernel: Kernel) -> Parsed {
    let (label, module) = (kernel.label(), parse(kernel));
    let info = validate(&module, capabilities(kernel)).unwrap_or_else(|error| panic!("{label}: {error}"));
    Parsed { label, kernel, module, info }
}

/// Every kernel there is.
pub fn all_parsed() -> &'static [Parsed] {
    static PARSED: OnceLock<Vec<Parsed>> = OnceLock::new();
    PARSED.get_or_init(|| {
        let kernels = Kernel::all();
        std::thread::scope(|scope| {
            let shares = kernels.chunks(kernels.len().div_ceil(n_threads()));
            let parse = |share: &[Kernel]| share.iter().copied().map(parsed).collect::<Vec<_>>();
            let shares: Vec<_> = shares.map(|share| scope.spawn(move || parse(share))).collect();
            shares.into_iter().flat_map(|share| share.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
        })
    })
}

fn n_threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Runs `check`, which panics to fail, on every core.
pub fn for_every_kernel(check: impl Fn(&Parsed) + Sync) {
    let (kernels, next) = (all_parsed(), AtomicUsize::new(0));
    let work = || {
        while let Some(parsed) = kernels.get(next.fetch_add(1, Ordering::Relaxed)) {
            check(parsed);
        }
    };
    std::thread::scope(|scope| (0..n_threads()).for_each(|_| drop(scope.spawn(work))));
}
