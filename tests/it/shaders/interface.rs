//! What a kernel declares is what the host binds: storage buffers, overrides, entry point.

use naga::valid::GlobalUse;
use naga::{AddressSpace, GlobalVariable, Module, Scalar, ShaderStage, StorageAccess, TypeInner, VectorSize};
use surprisal::kernel::{Binding, Kernel, Program, Slot, Values, Width};
use surprisal::{Family, Support};

use crate::support::shader::Parsed;

/// WebGPU's default limit on storage buffers a stage.
const STORAGE_BUFFERS: usize = 8;

/// A storage buffer as WGSL declares it: number, name, whether `read_write`, elements.
type Declared = (u32, String, bool, &'static str);

fn declared(module: &Module, variable: &GlobalVariable) -> Option<Declared> {
    let AddressSpace::Storage { access } = variable.space else { return None };
    let binding = variable.binding.as_ref().expect("a storage buffer has a binding");
    assert_eq!(binding.group, 0, "{variable:?}");
    let read_write = match access {
        StorageAccess::LOAD => false,
        both if both == StorageAccess::LOAD | StorageAccess::STORE => true,
        other => panic!("{variable:?}: access {other:?}"),
    };
    let name = variable.name.clone().expect("a storage buffer has a name");
    Some((binding.binding, name, read_write, element(module, variable)))
}

fn element(module: &Module, variable: &GlobalVariable) -> &'static str {
    let TypeInner::Array { base, .. } = module.types[variable.ty].inner else { panic!("{variable:?}: no array") };
    match module.types[base].inner {
        TypeInner::Struct { .. } => match module.types[base].name.as_deref() {
            Some("Sums") => "Sums",
            Some("Terms" | "soft_Terms") => "Terms",
            _ => "another struct",
        },
        TypeInner::Scalar(Scalar::U32) => "u32",
        TypeInner::Atomic(Scalar::U32) => "atomic<u32>",
        TypeInner::Vector { size: VectorSize::Bi, scalar: Scalar::U32 } => "vec2<u32>",
        TypeInner::Scalar(Scalar::U64) => "u64",
        TypeInner::Vector { size: VectorSize::Bi, scalar: Scalar::U64 } => "vec2<u64>",
        TypeInner::Vector { size: VectorSize::Quad, scalar: Scalar::U32 } => "vec4<u32>",
        _ => "another type",
    }
}

fn expected(kernel: Kernel, binding: Binding) -> Declared {
    let element = match kernel.width {
        _ if binding.slot == Slot::Errors => "atomic<u32>",
        _ if binding.slot == Slot::SavedSums => "Sums",
        _ if binding.slot == Slot::SavedTerms => "Terms",
        Width::Four if binding.tensor => "vec4<u32>",
        Width::Pairs if binding.tensor => "u64",
        Width::PairsFour if binding.tensor => "vec2<u64>",
        Width::PackedFour if binding.tensor => "vec2<u32>",
        Width::Packed | Width::PackedStrided if binding.tensor && binding.written => "atomic<u32>",
        _ => "u32",
    };
    (binding.slot as u32, binding.slot.name().to_string(), binding.read_write, element)
}

pub fn storage_buffers_are_those_of_the_binding_table(Parsed { label, kernel, module, .. }: &Parsed) {
    let mut found: Vec<_> = module.global_variables.iter().filter_map(|(_, v)| declared(module, v)).collect();
    found.sort();
    let expected: Vec<_> = kernel.bindings().into_iter().map(|binding| expected(*kernel, binding)).collect();
    assert_eq!(found, expected, "{label}");
    let most = if weighs_sum(*kernel) { STORAGE_BUFFERS + 2 } else { STORAGE_BUFFERS };
    assert!(found.len() <= most, "{label}: {} storage buffers", found.len());
}

/// Whether a kernel is for devices with more than WebGPU promises.
fn weighs_sum(kernel: Kernel) -> bool {
    let Program::Loss { family, values, .. } = kernel.program else { return false };
    matches!(family, Family::Distillation { .. }) && values == Values::SumsAndSide
}

/// What is kept of a row between windows of classes is as large as the host makes room for.
pub fn saved_sums_have_the_width_that_scratch_is_made_for(Parsed { label, kernel, module, .. }: &Parsed) {
    if kernel.bindings().iter().any(|binding| binding.slot == Slot::SavedSums) {
        let sums = module.types.iter().find(|(_, ty)| ty.name.as_deref() == Some("Sums"));
        let Some(TypeInner::Struct { span, .. }) = sums.map(|(_, ty)| &ty.inner) else { panic!("{label}: no sums") };
        assert_eq!(*span as usize, 4 * kernel.sums_width(), "{label}");
    }
}

/// A binding declared and not used costs one of eight; one written but not said to be breaks the overlap check.
pub fn every_binding_is_used_and_written_as_the_table_says(Parsed { label, kernel, module, info, .. }: &Parsed) {
    let entry = info.get_entry_point(0);
    for (handle, variable) in module.global_variables.iter().filter(|(_, variable)| variable.binding.is_some()) {
        let (name, used) = (variable.name.as_deref().unwrap_or("?"), entry[handle]);
        assert!(!used.is_empty(), "{label}: nothing uses {name}");
        if let Some(binding) = kernel.bindings().iter().find(|binding| binding.slot.name() == name) {
            assert_eq!(used.contains(GlobalUse::WRITE), binding.written, "{label}: {name} is used as {used:?}");
        }
    }
}

pub fn uniform_buffers_are_params_at_binding_0_and_those_of_a_second_part(
    Parsed { label, kernel, module, .. }: &Parsed,
) {
    let uniforms = module.global_variables.iter().filter(|(_, v)| v.space == AddressSpace::Uniform);
    let mut found: Vec<_> = uniforms
        .map(|(_, v)| (v.name.as_deref(), v.binding.as_ref().map(|binding| (binding.group, binding.binding))))
        .collect();
    found.sort();
    let names = [Some("params"), Some("soft_params")].into_iter();
    let expected: Vec<_> = names.zip(kernel.uniforms()).map(|(name, &binding)| (name, Some((0, binding)))).collect();
    assert_eq!(found, expected, "{label}");
}

pub fn the_entry_point_has_the_kernels_name_and_an_overridable_size(Parsed { label, kernel, module, .. }: &Parsed) {
    let [entry] = &module.entry_points[..] else { panic!("{label}: {} entry points", module.entry_points.len()) };
    assert_eq!((entry.name.as_str(), entry.stage), (kernel.entry_point(), ShaderStage::Compute), "{label}");
    let [x, y, z] = entry.workgroup_size_overrides.unwrap_or_else(|| panic!("{label}: a fixed workgroup size"));
    let naga::Expression::Override(size) = module.global_expressions[x.expect("x is overridden")] else {
        panic!("{label}: the workgroup size is not an override");
    };
    assert_eq!(module.overrides[size].name.as_deref(), Some("WORKGROUP_SIZE"), "{label}");
    assert_eq!((y, z, entry.workgroup_size[1..].to_vec()), (None, None, vec![1, 1]), "{label}");
}

pub fn overrides_are_those_that_pipelines_set(Parsed { label, kernel, module, .. }: &Parsed) {
    let names = module.overrides.iter().map(|(_, o)| o.name.as_deref().expect("overrides have names"));
    let (mut names, mut expected) = (names.collect::<Vec<_>>(), kernel.overrides());
    names.sort();
    expected.sort();
    assert_eq!(names, expected, "{label}");
}

/// The second part of a sum is text made for kernels of one loss, with a `Params` that holds options alone.
pub fn the_second_part_of_a_sum_reads_its_options_alone(Parsed { label, source, .. }: &Parsed) {
    let code = source.lines().filter(|line| !line.trim_start().starts_with("//"));
    for rest in code.flat_map(|line| line.split("soft_params.").skip(1)) {
        let member = rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next().unwrap_or_default();
        let options = ["scale", "loss_args", "inv_temperature", "part_weight", "z_loss", "softcap", "inv_softcap"];
        // Behind constants that are false in it.
        let unreachable = ["target_share", "even_share"];
        assert!(options.contains(&member) || unreachable.contains(&member), "{label}: {member}");
    }
}

/// WebGPU's default limit on what a workgroup shares.
const WORKGROUP_BYTES: u32 = 16384;

pub fn what_lanes_share_fits_the_default_limit(parsed: &Parsed) {
    let most_lanes = match parsed.kernel.program {
        Program::Loss { family: Family::Distillation { support: Support::TopK, .. }, .. }
            if weighs_sum(parsed.kernel) =>
        {
            64
        }
        Program::Loss { family: Family::Distillation { .. }, .. } => 128,
        Program::Loss { family: Family::Distribution { support: Support::TopK, .. }, .. } => 128,
        _ => 256,
    };
    let mut constants = naga::back::PipelineConstants::default();
    for name in ["WORKGROUP_SIZE", "LANES"] {
        constants.insert(name.to_string(), most_lanes.into());
    }
    let stage = Some((ShaderStage::Compute, parsed.kernel.entry_point()));
    let ready = naga::back::pipeline_constants::process_overrides(&parsed.module, &parsed.info, stage, &constants);
    let (module, _) = ready.unwrap_or_else(|error| panic!("{}: {error}", parsed.label));
    let shared = module.global_variables.iter().filter(|(_, global)| global.space == AddressSpace::WorkGroup);
    let bytes: u32 = shared.map(|(_, global)| module.types[global.ty].inner.size(module.to_ctx())).sum();
    assert!(bytes <= WORKGROUP_BYTES, "{} shares {bytes} bytes among {most_lanes} lanes", parsed.label);
}
