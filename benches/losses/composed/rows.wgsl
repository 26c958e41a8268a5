//! Reductions along rows: x [N_ROWS, N_CLASSES] to y [N_ROWS]. LANES invocations, a power of two, share a row.

override LANES: u32;
override N_ROWS: u32;
override N_CLASSES: u32;

const WORKGROUP = 256u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

var<workgroup> partials: array<f32, WORKGROUP>;

struct Place { row: u32, lane: u32 }

fn place(group: vec3<u32>, grid: vec3<u32>, index: u32) -> Place {
    let rows_per_group = WORKGROUP / LANES;
    return Place((group.y * grid.x + group.x) * rows_per_group + index / LANES, index % LANES);
}

@compute @workgroup_size(WORKGROUP)
fn row_max(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let at = place(group, grid, index);
    var partial = -3.4028234e38;
    if at.row < N_ROWS {
        for (var j = at.lane; j < N_CLASSES; j += LANES) {
            partial = max(partial, x[at.row * N_CLASSES + j]);
        }
    }
    partials[index] = partial;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if at.lane < half {
            partials[index] = max(partials[index], partials[index + half]);
        }
    }
    if at.lane == 0u && at.row < N_ROWS {
        y[at.row] = partials[index];
    }
}

@compute @workgroup_size(WORKGROUP)
fn row_sum(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let at = place(group, grid, index);
    var partial = 0.0;
    if at.row < N_ROWS {
        for (var j = at.lane; j < N_CLASSES; j += LANES) {
            partial += x[at.row * N_CLASSES + j];
        }
    }
    partials[index] = partial;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if at.lane < half {
            partials[index] += partials[index + half];
        }
    }
    if at.lane == 0u && at.row < N_ROWS {
        y[at.row] = partials[index];
    }
}
