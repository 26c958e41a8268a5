use crate::Error;
use crate::kernel::Variant;
use crate::plan::Caps;

use super::Options;

/// Lanes in a workgroup: WebGPU's default limit on invocations.
pub(super) const WORKGROUP_SIZE: u32 = 256;
/// Tiles of four classes that a lane goes through in one read on a software adapter: Mesa's llvmpipe ends the loops of
/// an invocation after 65535 steps in all, and a kernel reads a row up to three times.
const SOFTWARE_TILES: usize = 12288;
/// Rows of at most so many classes come in workgroups of so many lanes on a software adapter: a workgroup costs as much as
/// several of them.
const SOFTWARE_SHORT_ROWS: (usize, u32) = (32, 256);
/// Bytes of a binding at most, whatever the device grants: kernels count elements in u32.
const MAX_BINDING: u64 = u32::MAX as u64;
/// Storage buffers that kernels bind, but for some of a sum of losses: WebGPU's default limit.
const STORAGE_BUFFERS: u32 = 8;

/// What to ask of an adapter: subgroups, timestamps and a pipeline cache where it has them, 64-bit words where it is
/// software, and every limit it offers.
pub(super) fn wanted(adapter: &wgpu::Adapter) -> (wgpu::Features, wgpu::Limits) {
    let mut features = wgpu::Features::SUBGROUP | wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::PIPELINE_CACHE;
    if adapter.get_info().device_type == wgpu::DeviceType::Cpu {
        features |= wgpu::Features::SHADER_INT64;
    }
    (features & adapter.features(), adapter.limits())
}

/// A device's abilities in numbers, with what the options force.
pub(super) fn caps(device: &wgpu::Device, options: &Options) -> Result<Caps, Error> {
    let (limits, info) = (device.limits(), device.adapter_info());
    let require = |what: &str, found: u32, wanted: u32| match found < wanted {
        true => Err(Error::Device { what: format!("{what} of {wanted} (it grants {found})") }),
        false => Ok(()),
    };
    require("max_compute_invocations_per_workgroup", limits.max_compute_invocations_per_workgroup, WORKGROUP_SIZE)?;
    require("max_compute_workgroup_size_x", limits.max_compute_workgroup_size_x, WORKGROUP_SIZE)?;
    require("max_storage_buffers_per_shader_stage", limits.max_storage_buffers_per_shader_stage, STORAGE_BUFFERS)?;

    // A software adapter runs a subgroup as one thread: rows are best read by few lanes, in long runs and large words.
    let is_software = info.device_type == wgpu::DeviceType::Cpu;
    let words_of_64 = device.features().contains(wgpu::Features::SHADER_INT64);
    let (workgroup_size, max_lanes, tiles_per_lane, pairs) = match (options.workgroup_size, info.device_type) {
        (Some(size), _) if size.is_power_of_two() && (WORKGROUP_SIZE / 8..=WORKGROUP_SIZE).contains(&size) => {
            (size, size, 8, false)
        }
        (Some(_), _) => return Err(Error::Variant { reason: "it needs a workgroup size of 32, 64, 128 or 256" }),
        (None, wgpu::DeviceType::Cpu) => (info.subgroup_max_size.clamp(32, WORKGROUP_SIZE), 8, 2048, words_of_64),
        (None, _) => (WORKGROUP_SIZE, WORKGROUP_SIZE, 8, false),
    };
    if options.lanes.is_some_and(|lanes| !lanes.is_power_of_two() || lanes > workgroup_size) {
        return Err(Error::Variant { reason: "it needs lanes that are a power of two, at most a workgroup of them" });
    }
    let variant = match (options.variant, has_subgroups(device, workgroup_size)) {
        (Some(Variant::Subgroup), false) => {
            return Err(Error::Variant {
                reason: "it needs wgpu::Features::SUBGROUP, with subgroups no larger than a workgroup",
            });
        }
        (Some(variant), _) => variant,
        (None, true) => Variant::Subgroup,
        (None, false) => Variant::Workgroup,
    };
    Ok(Caps {
        variant,
        subgroup_sizes: (info.subgroup_min_size, info.subgroup_max_size),
        workgroup_size,
        short_rows: (is_software && options.workgroup_size.is_none()).then_some(SOFTWARE_SHORT_ROWS),
        max_lanes: if options.lanes.is_some() { workgroup_size } else { max_lanes },
        tiles_per_lane,
        lanes: options.lanes,
        max_tiles: if is_software { SOFTWARE_TILES } else { usize::MAX },
        pairs: pairs && variant == Variant::Subgroup,
        storage_buffers: limits.max_storage_buffers_per_shader_stage,
        max_binding: limits.max_storage_buffer_binding_size.min(MAX_BINDING),
        max_buffer: limits.max_buffer_size,
        alignment: limits.min_storage_buffer_offset_alignment.into(),
        max_groups: limits.max_compute_workgroups_per_dimension,
    })
}

impl Caps {
    /// With no more than these limits on bindings, buffers and workgroups.
    pub(super) fn limited(&self, limits: &wgpu::Limits) -> Caps {
        Caps {
            max_binding: self.max_binding.min(limits.max_storage_buffer_binding_size),
            max_buffer: self.max_buffer.min(limits.max_buffer_size),
            max_groups: self.max_groups.min(limits.max_compute_workgroups_per_dimension),
            ..self.clone()
        }
    }
}

/// Whether lanes of such workgroups can share through subgroups.
pub(super) fn has_subgroups(device: &wgpu::Device, workgroup_size: u32) -> bool {
    let info = device.adapter_info();
    device.features().contains(wgpu::Features::SUBGROUP)
        && info.subgroup_min_size.is_power_of_two()
        && info.subgroup_max_size <= workgroup_size
}
