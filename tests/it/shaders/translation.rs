//! A kernel, with a device's overrides, in every language that wgpu feeds a driver.

use naga::back::{PipelineConstants, glsl, hlsl, msl, spv};
use naga::valid::ModuleInfo;
use naga::{Module, ShaderStage};
use surprisal::kernel::{Variant, Width};

use crate::support::shader::Parsed;

/// A device with subgroups of 8 to 32 lanes; rows of more than 64 classes, several to a workgroup.
fn constants(module: &Module) -> PipelineConstants {
    let all = [("WORKGROUP_SIZE", 256.0), ("LANES", 16.0), ("SUBGROUP_MIN", 8.0), ("SUBGROUP_MAX", 32.0)];
    let declared = |name: &str| module.overrides.iter().any(|(_, o)| o.name.as_deref() == Some(name));
    all.into_iter().filter(|(name, _)| declared(name)).map(|(name, value)| (name.to_string(), value)).collect()
}

/// The kernel as a back end gets it.
struct Ready<'a> {
    entry: &'static str,
    module: &'a Module,
    info: &'a ModuleInfo,
}

fn to_spirv(kernel: &Ready<'_>) -> Result<usize, String> {
    let options = spv::Options { lang_version: (1, 3), ..spv::Options::default() };
    let entry = spv::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: kernel.entry.into() };
    let written = spv::write_vec(kernel.module, kernel.info, &options, Some(&entry));
    written.map(|words| words.len()).map_err(|error| error.to_string())
}

fn to_msl(kernel: &Ready<'_>) -> Result<usize, String> {
    let options = msl::Options { lang_version: (2, 4), ..msl::Options::default() };
    let entry = Some((ShaderStage::Compute, kernel.entry.to_string()));
    let entry = msl::PipelineOptions { entry_point: entry, ..msl::PipelineOptions::default() };
    let (text, translated) =
        msl::write_string(kernel.module, kernel.info, &options, &entry).map_err(|error| error.to_string())?;
    let names: Result<Vec<_>, _> = translated.entry_point_names.into_iter().collect();
    names.map(|_| text.len()).map_err(|error| error.to_string())
}

fn to_hlsl(kernel: &Ready<'_>, shader_model: hlsl::ShaderModel) -> Result<usize, String> {
    let options = hlsl::Options { shader_model, ..hlsl::Options::default() };
    let entry = Some((ShaderStage::Compute, kernel.entry.to_string()));
    let (mut text, entry) = (String::new(), hlsl::PipelineOptions { entry_point: entry });
    let mut writer = hlsl::Writer::new(&mut text, &options, &entry);
    let reflected = writer.write(kernel.module, kernel.info, None).map_err(|error| error.to_string())?;
    let names: Result<Vec<_>, _> = reflected.entry_point_names.into_iter().collect();
    names.map(|_| text.len()).map_err(|error| error.to_string())
}

fn to_glsl(kernel: &Ready<'_>, version: glsl::Version) -> Result<usize, String> {
    let options = glsl::Options { version, ..glsl::Options::default() };
    let entry =
        glsl::PipelineOptions { shader_stage: ShaderStage::Compute, entry_point: kernel.entry.into(), multiview: None };
    let (mut text, policies) = (String::new(), naga::proc::BoundsCheckPolicies::default());
    let writer = glsl::Writer::new(&mut text, kernel.module, kernel.info, &options, &entry, policies);
    writer.and_then(|mut writer| writer.write()).map_err(|error| error.to_string())?;
    Ok(text.len())
}

/// In a language: its length, or why the language has no words for it.
fn assert_written(parsed: &Parsed, language: &str, written: Result<usize, String>) {
    match written {
        Ok(length) => assert!(length > 0, "{} in {language} is empty", parsed.label),
        Err(error) => panic!("{} has no {language}: {error}", parsed.label),
    }
}

pub fn every_language_has_the_kernel(parsed: &Parsed) {
    let entry = parsed.kernel.entry_point();
    let (stage, constants) = (Some((ShaderStage::Compute, entry)), constants(&parsed.module));
    let ready = naga::back::pipeline_constants::process_overrides(&parsed.module, &parsed.info, stage, &constants);
    let (module, info) = ready.unwrap_or_else(|error| panic!("{}: {error}", parsed.label));
    let ready = Ready { entry, module: &module, info: &info };
    assert_written(parsed, "SPIR-V", to_spirv(&ready));
    assert_written(parsed, "MSL", to_msl(&ready));
    // Wave intrinsics, and integers of 64 bits, which come with them, came with shader model 6.0.
    let model = match parsed.kernel.variant {
        Variant::Subgroup => hlsl::ShaderModel::V6_0,
        Variant::Workgroup => hlsl::ShaderModel::V5_1,
    };
    assert_written(parsed, "HLSL", to_hlsl(&ready, model));
    // The oldest GL that wgpu computes on. naga writes subgroup kernels too, by an extension; wgpu never offers it there.
    // The language has no integers of 64 bits.
    let glsl = to_glsl(&ready, glsl::Version::new_gles(310));
    match parsed.kernel.width {
        Width::Pairs | Width::PairsFour => assert!(glsl.is_err(), "{} in GLSL ES 3.10", parsed.label),
        _ => assert_written(parsed, "GLSL ES 3.10", glsl),
    }
}
