//! A loss that is finite at p_t = 0, which none of the crate's is: the kernels ask the loss, and do not write infinity.

use surprisal::kernel::{Access, Entry, Gradient, Kernel, Program, Slot, Values, Variant, Width};
use surprisal::{Family, Params, wgpu};
use wgpu::util::DeviceExt;

use crate::support::device::default_gpus;
use crate::support::staged::{POISON, download, launch};

/// Generalised cross-entropy (Zhang & Sabuncu 2018): (1 - p_t^0.7)/0.7.
const GENERALISED: [(&str, &str); 2] = [
    ("return -log_p;", "return -expm1_32(max(0.7f * log_p, -87f)) / 0.7f;"),
    ("return -1f;", "return -exp32(0.7f * log_p);"),
];

/// Cross-entropy's, by row and with the gradient, with other functions in the place of its two.
fn source(kernel: Kernel) -> String {
    GENERALISED.iter().fold(kernel.source(), |text, (own, other)| {
        assert_eq!(text.matches(own).count(), 1, "{own}");
        text.replace(own, other)
    })
}

#[test]
fn a_masked_target_costs_what_the_loss_says() {
    let program = Program::Loss {
        family: Family::ClassIndex,
        loss: "cross_entropy",
        entry: Entry::ForwardBackward,
        values: Values::Sums,
    };
    let (variant, width, access, gradient) = (Variant::Workgroup, Width::One, Access::Split, Gradient::Separate);
    let kernel = Kernel { program, variant, width, access, gradient, kept_tiles: 0 };
    let params = Params {
        n_rows: 2,
        n_classes: 3,
        end_class: 3,
        last_row: 3,
        inner: 1,
        grid_width: 1,
        logits_stride: 3,
        targets_stride: 1,
        dlogits_stride: 3,
        per_row: 1,
        ignored: 1,
        divisor_value: 1.0,
        target_share: 1.0,
        inv_temperature: 1.0,
        scale: 1.0,
        ..Params::default()
    };
    // A masked target, and one as likely as another class.
    let logits = [f32::NEG_INFINITY, 0.0, 1.0, 0.5, 0.5, f32::NEG_INFINITY];
    for engine in default_gpus().take(1) {
        let buffer = |contents: &[u8], usage| {
            let usage = usage | wgpu::BufferUsages::COPY_SRC;
            engine.device().create_buffer_init(&wgpu::util::BufferInitDescriptor { label: None, contents, usage })
        };
        let storage = |words: &[u32]| buffer(bytemuck::cast_slice(words), wgpu::BufferUsages::STORAGE);
        let buffers = kernel.bindings().into_iter().map(|binding| {
            let one = 1.0_f32.to_bits();
            let words = match binding.slot {
                Slot::Logits => logits.map(f32::to_bits).to_vec(),
                Slot::Targets => vec![0, 0],
                Slot::Values | Slot::Dlogits => vec![POISON; 6],
                _ => vec![one],
            };
            (binding.slot, storage(&words))
        });
        let buffers: Vec<_> = buffers.collect();
        let uniform = buffer(bytemuck::bytes_of(&params), wgpu::BufferUsages::UNIFORM);
        let module = engine.device().create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("generalised cross-entropy"),
            source: wgpu::ShaderSource::Wgsl(source(kernel).into()),
        });
        let off = ["CLASS_FACTORS", "LABEL_SMOOTHING", "TEMPERATURE", "SOFTCAP", "ROW_EXTRAS", "PYTORCH_CORNERS"];
        let constants: Vec<_> = off.map(|name| (name, 0.0)).into_iter().chain([("LANES", 1.0)]).collect();
        let pipeline = engine.device().create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: Some(kernel.entry_point()),
            compilation_options: wgpu::PipelineCompilationOptions { constants: &constants, ..Default::default() },
            cache: None,
        });
        let slots = buffers.iter().map(|(slot, buffer)| (*slot as u32, buffer.clone()));
        launch(engine, &pipeline, slots.chain([(0, uniform)]), 1);
        let read = |wanted: Slot| {
            let (_, buffer) = buffers.iter().find(|(slot, _)| *slot == wanted).expect("it is bound");
            download(engine, buffer).into_iter().map(f32::from_bits).collect::<Vec<_>>()
        };
        let p: f32 = 0.5_f32.powf(0.7);
        let close =
            |found: f32, expected: f32| assert!((found - expected).abs() < 1e-6, "{found}, expected {expected}");
        close(read(Slot::Values)[0], 1.0 / 0.7);
        close(read(Slot::Values)[1], (1.0 - p) / 0.7);
        let dlogits = read(Slot::Dlogits);
        assert_eq!(dlogits[..3], [0.0; 3], "nothing moves a class without probability");
        [-0.5 * p, 0.5 * p, 0.0].into_iter().zip(&dlogits[3..]).for_each(|(expected, &found)| close(found, expected));
    }
}
