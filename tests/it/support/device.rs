use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, Once, OnceLock, PoisonError};

use surprisal::kernel::Variant;
use surprisal::{Engine, GpuEngine, Options, wgpu};

/// An engine under test, and what was asked for to get it.
struct Opened {
    named: (String, Engine),
    options: Options,
}

/// The engines as shipped: one per kernel variant the adapter has, and on a software adapter, whose workgroups are
/// small, also with those of a GPU.
///
/// Without an adapter there are none, which a skipped test says out loud; with `SURPRISAL_REQUIRE_GPU=1` that is a
/// failure. In the quick proof each call has one of them, the next call the next: every pair of a loss and an engine is
/// for `cover`.
pub fn engines() -> impl Iterator<Item = &'static (String, Engine)> {
    in_turn(shipped().iter().map(|opened| &opened.named).collect())
}

/// Whether this is the quick proof (`SURPRISAL_PROOF=quick`), in which tests leave to `cover` what it covers.
pub fn is_quick() -> bool {
    std::env::var("SURPRISAL_PROOF").is_ok_and(|proof| proof == "quick")
}

/// All of these, or in the quick proof the one whose turn it is.
fn in_turn<E>(all: Vec<E>) -> impl Iterator<Item = E> {
    static TURN: AtomicUsize = AtomicUsize::new(0);
    at(TURN.fetch_add(1, Ordering::Relaxed), all)
}

/// All of these, or in the quick proof that of this turn.
fn at<E>(turn: usize, all: Vec<E>) -> impl Iterator<Item = E> {
    let (first, n) = if is_quick() && !all.is_empty() { (turn % all.len(), 1) } else { (0, all.len()) };
    all.into_iter().skip(first).take(n)
}

/// The CPU engine.
pub fn cpu() -> &'static (String, Engine) {
    static CPU: OnceLock<(String, Engine)> = OnceLock::new();
    CPU.get_or_init(|| ("CPU".to_string(), Engine::cpu()))
}

/// The CPU engine, and after it [`engines`].
pub fn every_engine() -> impl Iterator<Item = &'static (String, Engine)> {
    std::iter::once(cpu()).chain(engines())
}

/// The CPU engine, and after it [`variants`].
pub fn cpu_and_variants() -> impl Iterator<Item = &'static (String, Engine)> {
    std::iter::once(cpu()).chain(variants())
}

/// Those of [`engines`] in the shape the adapter gets by itself, or one of them in turn.
pub fn variants() -> impl Iterator<Item = &'static (String, Engine)> {
    in_turn(every_variant().collect())
}

/// As [`cpu_and_variants`], but whose turn it is is said: tests that take the same losses in the same turns share their
/// pipelines.
pub fn cpu_and_variants_at(turn: usize) -> impl Iterator<Item = &'static (String, Engine)> {
    std::iter::once(cpu()).chain(at(turn, every_variant().collect()))
}

/// The same of [`every_engine`].
pub fn every_engine_at(turn: usize) -> impl Iterator<Item = &'static (String, Engine)> {
    std::iter::once(cpu()).chain(at(turn, shipped().iter().map(|opened| &opened.named).collect()))
}

/// [`variants`] in any proof.
pub fn every_variant() -> impl Iterator<Item = &'static (String, Engine)> {
    shipped().iter().filter(|opened| opened.options.workgroup_size.is_none()).map(|opened| &opened.named)
}

/// [`engines`], or the same with run-time checks in the kernels, whose devices nobody else holds: they go with their
/// pipelines, of which a software driver keeps a megabyte each.
pub fn fresh_engines(checked: bool) -> Vec<(String, Engine)> {
    open_all(checked).into_iter().map(|opened| opened.named).collect()
}

/// [`fresh_engines`] by the shape of their workgroups, an engine for each kernel variant in every shape; the first is
/// what the adapter gets by itself. Making a pipeline takes far longer than running it, and each engine makes its own:
/// where shapes do not matter, or cases are many, let cases take them in turn.
pub fn fresh_shapes() -> Vec<Vec<(String, Engine)>> {
    let (own, of_a_gpu): (Vec<_>, Vec<_>) =
        open_all(false).into_iter().partition(|opened| opened.options.workgroup_size.is_none());
    let named = |shape: Vec<Opened>| shape.into_iter().map(|opened| opened.named).collect::<Vec<_>>();
    let mut shapes = vec![named(own)];
    if !of_a_gpu.is_empty() {
        shapes.push(named(of_a_gpu));
    }
    shapes
}

/// The one of these whose turn it is, if there are any.
pub fn whose_turn<E>(engines: &[E], turn: usize) -> impl Iterator<Item = &E> {
    engines.iter().cycle().skip(turn).take(1)
}

/// An engine for each kernel variant, in the shape the adapter gets by itself.
pub fn fresh_variants() -> Vec<(String, Engine)> {
    fresh_shapes().swap_remove(0)
}

/// The recording side of [`engines`].
pub fn gpus() -> impl Iterator<Item = &'static GpuEngine> {
    engines().filter_map(|(_, engine)| engine.gpu())
}

/// The recording side of those [`engines`] that [`with_limits`] makes counterparts of, in the same order.
pub fn default_gpus() -> impl Iterator<Item = &'static GpuEngine> {
    every_variant().filter_map(|(_, engine)| engine.gpu())
}

/// Those of [`default_gpus`] whose device has a feature; that there is none is said.
pub fn gpus_with(feature: wgpu::Features) -> Vec<&'static GpuEngine> {
    let (having, lacking): (Vec<_>, Vec<_>) =
        default_gpus().partition(|engine| engine.device().features().contains(feature));
    if !lacking.is_empty() {
        say(&format!("SKIPPED: a device without {feature:?}"));
    }
    having
}

fn shipped() -> &'static [Opened] {
    static ENGINES: OnceLock<Vec<Opened>> = OnceLock::new();
    ENGINES.get_or_init(|| open_all(false))
}

fn open_all(checked: bool) -> Vec<Opened> {
    let mut engines = Vec::new();
    for variant in [Variant::Workgroup, Variant::Subgroup] {
        for workgroup_size in [None, Some(256)] {
            let mut options = Options::default().variant(variant).checked(checked);
            options.workgroup_size = workgroup_size;
            let Some(engine) = open(options.clone()) else { continue };
            let is_software =
                engine.gpu().is_some_and(|gpu| gpu.device().adapter_info().device_type == wgpu::DeviceType::Cpu);
            if workgroup_size.is_none() || is_software {
                let name = format!("{variant:?}, workgroup size {workgroup_size:?}, checks {checked}");
                engines.push(Opened { named: (name, engine), options });
            }
        }
    }
    assert!(!(is_required() && engines.is_empty()), "SURPRISAL_REQUIRE_GPU=1, but no GPU adapter was found");
    match engines.first() {
        Some(Opened { named: (_, engine), .. }) => say(&format!("testing on {}, checks {checked}", engine.backend())),
        None => say("SKIPPED: no GPU adapter; only the CPU engine is tested"),
    }
    engines
}

/// With `SURPRISAL_PIPELINES=FOLDER`, each process leaves there a line for each pipeline that it makes: how many there
/// are is most of what the tests cost.
fn count_pipelines() {
    struct Lines(Mutex<File>);
    impl log::Log for Lines {
        fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
            metadata.target().starts_with("surprisal")
        }
        fn log(&self, record: &log::Record<'_>) {
            let message = record.args().to_string();
            if let Some(pipeline) = message.strip_prefix("surprisal: making ") {
                let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                writeln!(file, "{pipeline}").expect("the folder takes a line");
            }
        }
        fn flush(&self) {}
    }
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let Some(folder) = std::env::var_os("SURPRISAL_PIPELINES") else { return };
        let path = PathBuf::from(folder).join(std::process::id().to_string());
        let file = File::create(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        log::set_boxed_logger(Box::new(Lines(Mutex::new(file)))).expect("no other logger");
        log::set_max_level(log::LevelFilter::Debug);
    });
}

/// Past the test runner, which keeps to itself what passing tests print.
fn say(line: &str) {
    let line = format!("{line}\n");
    std::io::stderr().write_all(line.as_bytes()).expect("stderr is open");
}

/// An engine of a variant, with the lanes of an adapter of its kind unless others are named.
pub fn open_as(variant: Variant, change: impl FnOnce(&mut Options)) -> Option<Engine> {
    let mut options = Options::default().variant(variant);
    change(&mut options);
    let engine = open(options);
    assert!(!(is_required() && engine.is_none()), "SURPRISAL_REQUIRE_GPU=1, but no GPU adapter was found");
    if engine.is_none() {
        say("SKIPPED: no GPU adapter; only the CPU engine is tested");
    }
    engine
}

fn is_required() -> bool {
    std::env::var("SURPRISAL_REQUIRE_GPU").is_ok_and(|value| value == "1")
}

/// The adapter that `SURPRISAL_ADAPTER` asks for, or a real GPU, or a software adapter.
fn open(options: Options) -> Option<Engine> {
    count_pipelines();
    let words = std::env::var("SURPRISAL_ADAPTER").ok();
    let attempts = match words {
        Some(words) => vec![options.adapter(words)],
        None => vec![options.clone(), options.adapter("software")],
    };
    attempts.into_iter().find_map(|options| {
        let engine = pollster::block_on(Engine::request(options)).ok()?;
        engine.gpu().is_some().then_some(engine)
    })
}

/// An engine for each kernel variant, in the shape the adapter gets by itself, on a device that was granted other
/// limits.
pub fn with_limits(change: impl Fn(&mut wgpu::Limits)) -> Vec<GpuEngine> {
    let limited = |opened: &Opened| {
        let gpu = opened.named.1.gpu()?;
        let (device, queue) = request_device(gpu, &change);
        Some(GpuEngine::with_options(&device, &queue, opened.options.clone()).expect("the limits suffice"))
    };
    shipped().iter().filter(|opened| opened.options.workgroup_size.is_none()).filter_map(limited).collect()
}

/// [`default_gpus`] with lower limits. In the quick proof they have the pipelines of those, and a device whose own limits
/// are as they were.
pub fn limited(change: impl Fn(&mut wgpu::Limits)) -> Vec<GpuEngine> {
    if is_quick() { default_gpus().map(|engine| engine.limited(&change)).collect() } else { with_limits(change) }
}

/// A device of the engine's adapter, with its features and changed limits.
pub fn request_device(gpu: &GpuEngine, change: impl Fn(&mut wgpu::Limits)) -> (wgpu::Device, wgpu::Queue) {
    let mut required_limits = gpu.device().limits();
    change(&mut required_limits);
    request(gpu, &adapter_of(gpu), required_limits)
}

/// Two devices of one instance, as the engine's: what belongs to one is known to be foreign to the other.
pub fn pair_of_devices(gpu: &GpuEngine) -> [(wgpu::Device, wgpu::Queue); 2] {
    let adapter = adapter_of(gpu);
    [(); 2].map(|()| request(gpu, &adapter, gpu.device().limits()))
}

fn request(gpu: &GpuEngine, adapter: &wgpu::Adapter, required_limits: wgpu::Limits) -> (wgpu::Device, wgpu::Queue) {
    let required_features = gpu.device().features();
    let descriptor = wgpu::DeviceDescriptor { required_features, required_limits, ..wgpu::DeviceDescriptor::default() };
    pollster::block_on(adapter.request_device(&descriptor)).expect("a device as it gave before")
}

fn adapter_of(gpu: &GpuEngine) -> wgpu::Adapter {
    let info = gpu.device().adapter_info();
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
    let adapters = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::all()));
    let same = |adapter: &wgpu::Adapter| {
        let other = adapter.get_info();
        (other.backend, &other.name, &other.driver_info) == (info.backend, &info.name, &info.driver_info)
    };
    adapters.into_iter().find(same).expect("an adapter that gave a device once is there again")
}
