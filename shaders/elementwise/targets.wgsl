//! One target per element.

fn targets4(row: u32, j: u32, left: u32) -> vec4<u32> {
    return load_targets(params.targets + row * params.targets_stride + j, left, 0u);
}
