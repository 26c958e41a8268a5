//! The functions of `shaders/math.wgsl` by themselves, against double precision: what a loss loses in one of them may
//! hide behind what its bound allows for the rest.

use rstest::rstest;
use surprisal::{GpuEngine, wgpu};
use wgpu::util::DeviceExt;

use crate::support::device::default_gpus;
use crate::support::random::Random;
use crate::support::staged::{download, launch};

const WORKGROUP_SIZE: u32 = 64;

/// The functions, what a kernel has around them, and an entry point that puts each x into an expression.
fn source(expression: &str) -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/math.wgsl");
    let functions = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"));
    format!(
        "@group(0) @binding(0) var<storage, read> xs: array<u32>;
        @group(0) @binding(1) var<storage, read_write> results: array<f32>;

        // The last word is 0.
        fn opaque(value: f32) -> f32 {{
            return bitcast<f32>(bitcast<u32>(value) ^ xs[arrayLength(&xs) - 1u]);
        }}

        @compute @workgroup_size({WORKGROUP_SIZE})
        fn apply(@builtin(global_invocation_id) id: vec3<u32>) {{
            if (id.x < arrayLength(&results)) {{
                let bits = xs[id.x];
                let x = bitcast<f32>(bits);
                results[id.x] = {expression};
            }}
        }}
        {functions}"
    )
}

/// What a device makes of each x.
fn applied(engine: &GpuEngine, expression: &str, xs: &[f32]) -> Vec<f32> {
    let device = engine.device();
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some(expression),
        source: wgpu::ShaderSource::Wgsl(source(expression).into()),
    });
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some(expression),
        layout: None,
        module: &module,
        entry_point: Some("apply"),
        compilation_options: wgpu::PipelineCompilationOptions::default(),
        cache: None,
    });
    let buffer = |contents: &[f32]| {
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        let contents = bytemuck::cast_slice(contents);
        device.create_buffer_init(&wgpu::util::BufferInitDescriptor { label: None, contents, usage })
    };
    let (inputs, results) = (buffer(&[xs, &[0.0]].concat()), buffer(&vec![f32::NAN; xs.len()]));
    let groups = (xs.len() as u32).div_ceil(WORKGROUP_SIZE);
    launch(engine, &pipeline, [(0, inputs), (1, results.clone())].into_iter(), groups);
    download(engine, &results).into_iter().map(f32::from_bits).collect()
}

/// Numbers of every size from this one to that one, both of one sign.
fn between(low: f32, high: f32) -> Vec<f32> {
    let words = Random::new(11).bits(60_000);
    let (first, last) = (low.to_bits().min(high.to_bits()), low.to_bits().max(high.to_bits()));
    let inside = words.into_iter().map(|word| f32::from_bits(first + word % (last - first + 1)));
    // Spread by size, and evenly.
    let evenly = (0..=20_000).map(|i| low + (high - low) * (i as f32 / 20_000.0));
    [low, high].into_iter().chain(inside).chain(evenly).collect()
}

/// On either side of 0.
fn about_zero(low: f32, high: f32) -> Vec<f32> {
    [between(low, -f32::MIN_POSITIVE), between(f32::MIN_POSITIVE, high)].concat()
}

/// How many units in the last place a result may be off by. An exponential has two: its polynomial's, and that of the
/// product with what x leaves. 1 + x, and e^x - 1 where e^x is not near 1, have up to four where the result is a quarter
/// of what was rounded. A power has its exponential's and y times those of a logarithm below 1.
#[rstest]
#[case::exp_nonpositive("exp_nonpositive(x)", between(-86.0, -1e-30), f64::exp, 2.0)]
#[case::exp("exp32(x)", about_zero(-87.0, 88.0), f64::exp, 2.0)]
#[case::expm1("expm1_32(x)", about_zero(-87.0, 88.0), f64::exp_m1, 5.0)]
#[case::log("log32(x)", between(f32::MIN_POSITIVE, f32::MAX), f64::ln, 1.0)]
#[case::log_near_1("log32(x)", between(0.5, 2.0), f64::ln, 1.0)]
#[case::log_of_subnormals("log_of_bits(bits)", between(f32::from_bits(0x0000_3000), 1.0), f64::ln, 1.0)]
#[case::log1p("log1p32(x)", about_zero(-0.29, 1e30), f64::ln_1p, 3.0)]
#[case::tanh("tanh32(x)", about_zero(-20.0, 20.0), f64::tanh, 2.0)]
#[case::sech2("sech2(x)", about_zero(-43.0, 43.0), |x: f64| x.cosh().powi(-2), 5.0)]
#[case::square_root("pow32(x, 0.5f, 0.5f)", between(f32::MIN_POSITIVE, 1.0), |x: f64| x.powf(0.5), 2.0)]
#[case::square("pow32(x, 2f, 2f)", between(1e-18, 1.0), |x: f64| x.powf(2.0), 3.0)]
#[case::power("pow32(x, 3.7f, bitcast<f32>(0x406cc000u))", between(1e-10, 1.0), |x: f64| x.powf(3.7f32.into()), 5.0)]
fn a_function_is_good_to_its_units(
    #[case] expression: &str,
    #[case] xs: Vec<f32>,
    #[case] exact: fn(f64) -> f64,
    #[case] units: f64,
) {
    for engine in default_gpus().take(1) {
        for (&x, found) in xs.iter().zip(applied(engine, expression, &xs)) {
            let exact = exact(x.into());
            let unit = 2.0_f64.powi((exact.abs().log2().floor() as i32).max(-126) - 23);
            let off = (f64::from(found) - exact).abs() / unit;
            assert!(off <= units, "{expression} at {x:e} is {found:e}, not {exact:e}: {off} units");
        }
    }
}
