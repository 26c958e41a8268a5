//! Every 16-bit number, and every f32 at which rounding to one turns, through the fragments that load and store.

use rstest::rstest;
use surprisal::half::{bf16, f16};
use surprisal::{GpuEngine, Storage, wgpu};
use wgpu::util::DeviceExt;

use crate::support::device::gpus;
use crate::support::random::Random;
use crate::support::staged::download;

use Storage::{Bf16, F16, F32};

/// Elements that lie before what is copied, and after it.
const MARGIN: usize = 9;

/// One lane for each tile of four elements; the tiles of a real kernel.
const ENTRY: &str = "
const POS_INF: u32 = 0x7f800000u;
override source_storage: u32;
override sink_storage: u32;
override FIRST: u32;
override LEN: u32;
override SINK_FIRST: u32;

@compute @workgroup_size(64)
fn copy(@builtin(global_invocation_id) id: vec3<u32>) {
    let j = id.x * 4u;
    if (j < LEN) {
        store_sink(SINK_FIRST + j, LEN - j, load_source(FIRST + j, LEN - j, 0u));
    }
}
";

/// The text that copies from one tensor to another, each through its fragment.
fn source(fours: bool) -> String {
    let (load, store, elements) = if fours {
        (fragment("packedx4/load"), fragment("packedx4/store"), ["vec2<u32>", "vec2<u32>"])
    } else {
        let load = fragment("packed/word") + &fragment("packed/load");
        let store = fragment("packed/store_half") + &fragment("packed/store");
        (load, store, ["u32", "atomic<u32>"])
    };
    let bindings = format!(
        "@group(0) @binding(0) var<storage, read> source: array<{}>;
        @group(0) @binding(1) var<storage, read_write> sink: array<{}>;",
        elements[0], elements[1]
    );
    let load = load.replace("SLOT", "source");
    let store = store.replace("SLOT", "sink").replace("BUFFER", "sink");
    [ENTRY, &bindings, &fragment("half"), &load, &store].concat()
}

/// A file of those for elements, as it is now: `tests/mutations` changes shaders and builds nothing.
fn fragment(name: &str) -> String {
    let path = format!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/elem/{}.wgsl"), name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Numbers as a tensor has them.
fn packed(bits: &[u32], storage: Storage) -> Vec<u8> {
    bits.iter().flat_map(|bits| bits.to_le_bytes()[..storage.bytes()].to_vec()).collect()
}

/// What a copy between such tensors makes of these bits. `first` elements lie before the copied ones, on either side.
fn copied(
    engine: &GpuEngine,
    fours: bool,
    (from, to): (Storage, Storage),
    bits: &[u32],
    (first, sink_first): (usize, usize),
) -> Vec<u32> {
    let device = engine.device();
    let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
        label: Some("copy"),
        source: wgpu::ShaderSource::Wgsl(source(fours).into()),
    });
    let constants = [
        ("source_storage", f64::from(from as u8)),
        ("sink_storage", f64::from(to as u8)),
        ("FIRST", first as f64),
        ("SINK_FIRST", sink_first as f64),
        ("LEN", bits.len() as f64),
    ];
    let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some("copy"),
        layout: None,
        module: &module,
        entry_point: Some("copy"),
        compilation_options: wgpu::PipelineCompilationOptions { constants: &constants, ..Default::default() },
        cache: None,
    });
    let before = |n: usize| (0..n as u32).map(|i| (0x5a3c_1234_u32.wrapping_mul(i + 1)) ^ 0x77).collect::<Vec<_>>();
    let buffer = |contents: Vec<u8>| {
        let padded = [contents.clone(), vec![0x5b; contents.len().next_multiple_of(8) - contents.len()]].concat();
        let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
        device.create_buffer_init(&wgpu::util::BufferInitDescriptor { label: None, contents: &padded, usage })
    };
    let source = buffer(packed(&[before(first), bits.to_vec(), before(MARGIN)].concat(), from));
    let was = packed(&before(sink_first + bits.len() + MARGIN), to);
    let sink = buffer(was.clone());
    let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
        label: None,
        layout: &pipeline.get_bind_group_layout(0),
        entries: &[
            wgpu::BindGroupEntry { binding: 0, resource: source.as_entire_binding() },
            wgpu::BindGroupEntry { binding: 1, resource: sink.as_entire_binding() },
        ],
    });
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
    pass.set_pipeline(&pipeline);
    pass.set_bind_group(0, &bind_group, &[]);
    pass.dispatch_workgroups((bits.len() as u32).div_ceil(4 * 64), 1, 1);
    drop(pass);
    engine.queue().submit([encoder.finish()]);
    let is: Vec<u8> = bytemuck::pod_collect_to_vec(&download(engine, &sink));
    let copied = sink_first * to.bytes()..(sink_first + bits.len()) * to.bytes();
    assert_eq!(is[..copied.start], was[..copied.start], "before the sink");
    assert_eq!(is[copied.end..was.len()], was[copied.end..], "after the sink");
    let bits = |element: &[u8]| element.iter().rev().fold(0, |bits, &byte| bits << 8 | u32::from(byte));
    is[copied].chunks(to.bytes()).map(bits).collect()
}

fn to_f32(bits: u32, storage: Storage) -> f32 {
    match storage {
        F32 => f32::from_bits(bits),
        Bf16 => bf16::from_bits(bits as u16).to_f32(),
        F16 => f16::from_bits(bits as u16).to_f32(),
    }
}

fn from_f32(number: f32, storage: Storage) -> u32 {
    match storage {
        F32 => number.to_bits(),
        Bf16 => bf16::from_f32(number).to_bits().into(),
        F16 => f16::from_f32(number).to_bits().into(),
    }
}

/// Holds copies, by both ways to load and store and at both parities, against the crate `half`; any NaN will do for
/// one.
fn check(mix: (Storage, Storage), bits: &[u32]) {
    let Some(engine) = gpus().next() else { return };
    for (fours, first, sink_first) in
        [(true, 4, 8), (false, 4, 8), (false, 4, 7), (false, 5, 8), (false, 5, 7), (false, 0, 0)]
    {
        // Tiles of four are whole; a tile at the end of any other row has one to four elements.
        let len = if fours { bits.len() - bits.len() % 4 } else { bits.len() - first % 4 };
        let found = copied(engine, fours, mix, &bits[..len], (first, sink_first));
        for (&from, &found) in bits.iter().zip(&found) {
            let number = to_f32(from, mix.0);
            let same = match number.is_nan() {
                true => to_f32(found, mix.1).is_nan(),
                false => found == from_f32(number, mix.1),
            };
            assert!(same, "{mix:?}, fours {fours}, at {first} and {sink_first}: {from:#x} ({number:e}) is {found:#x}");
        }
    }
}

#[rstest]
fn every_16_bit_number_is_widened_exactly(#[values(Bf16, F16)] from: Storage, #[values(F32, Bf16, F16)] to: Storage) {
    check((from, to), &(0..=0xffff).collect::<Vec<_>>());
}

/// Each 16-bit number, the number halfway to the next, and the f32 on either side of that; of both signs.
#[rstest]
fn f32_is_rounded_to_nearest_with_ties_to_even(#[values(Bf16, F16)] to: Storage) {
    let largest = from_f32(f32::INFINITY, to) - 1;
    let mut turns = Vec::new();
    for bits in 0..=largest {
        let low = to_f32(bits, to);
        // After the largest, where the next would be: its upper neighbour is one unit on.
        let below = to_f32(bits.saturating_sub(1), to);
        let half = if bits == largest { (low - below) / 2.0 } else { to_f32(bits + 1, to) / 2.0 - low / 2.0 };
        let tie = low + half;
        for number in [low, tie.next_down(), tie, tie.next_up()] {
            turns.extend([number.to_bits(), (-number).to_bits()]);
        }
    }
    check((F32, to), &turns);
}

/// All signs and exponents, NaN and infinity among them.
#[rstest]
fn random_f32_is_rounded_to_nearest(#[values(F32, Bf16, F16)] to: Storage) {
    let mut bits = Random::new(7).bits(200_003);
    bits.extend([0, 1, 0x7f80_0000, 0x7f80_0001, 0x7fff_ffff, 0x7f7f_ffff, 0x0080_0000, 0x007f_ffff, 0x7fc0_0000]);
    bits.extend(bits.clone().iter().map(|bits| bits ^ 0x8000_0000));
    // As many about the subnormal numbers of f16, and where it overflows.
    let near = |exponent: u32| move |bits: &u32| bits & 0x807f_ffff | exponent << 23;
    let more: Vec<_> = (100..=115).chain([141, 142, 143]).flat_map(|e| bits[..999].iter().map(near(e))).collect();
    check((F32, to), &[bits, more].concat());
}

/// Against rounding by the definition, in exact arithmetic: not twice, once to f32 and once more.
#[test]
fn the_host_rounds_once() {
    let (tie, above) = (1.0 + 2f64.powi(-8), 1.0 + 2f64.powi(-8) + 2f64.powi(-40));
    assert_eq!((Bf16.round(tie), Bf16.round(above)), (1.0, 1.0 + 2f32.powi(-7)));
    let (tie, above) = (1.0 + 2f64.powi(-11), 1.0 + 2f64.powi(-11) + 2f64.powi(-45));
    assert_eq!((F16.round(tie), F16.round(above)), (1.0, 1.0 + 2f32.powi(-10)));
    assert_eq!(
        (F16.round(-65519.9), F16.round(65520.0), Bf16.round(-1e39)),
        (-65504.0, f32::INFINITY, f32::NEG_INFINITY)
    );
    assert_eq!((F16.round(2f64.powi(-25)), F16.round(2f64.powi(-25) * 1.001)), (0.0, 2f32.powi(-24)));
    assert!(Bf16.round(f64::NAN).is_nan() && F16.round(f64::NAN).is_nan());
    for bits in 0..0x7c00 {
        for storage in [Bf16, F16] {
            let number = to_f32(bits, storage);
            assert_eq!(storage.round(number.into()), number);
        }
    }
}
