//! Elementwise kernels: one invocation for each of N results.

override N: u32;
override N_ROWS: u32;
override N_CLASSES: u32;

const WORKGROUP = 256u;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> rows: array<f32>;   // [N_ROWS]
@group(0) @binding(1) var<storage, read> labels: array<u32>; // [N_ROWS]
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

struct Invocation {
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) grid: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
}

fn element(at: Invocation) -> u32 {
    return (at.group.y * at.grid.x + at.group.x) * WORKGROUP + at.index;
}

@compute @workgroup_size(WORKGROUP)
fn exponential(at: Invocation) {
    let i = element(at);
    if i < N {
        y[i] = exp(x[i]);
    }
}

@compute @workgroup_size(WORKGROUP)
fn logarithm(at: Invocation) {
    let i = element(at);
    if i < N {
        y[i] = log(x[i]);
    }
}

/// One number per row from each of the row's elements.
@compute @workgroup_size(WORKGROUP)
fn subtract_rows(at: Invocation) {
    let i = element(at);
    if i < N {
        y[i] = x[i] - rows[i / N_CLASSES];
    }
}

/// The row's share of the mean loss.
@compute @workgroup_size(WORKGROUP)
fn take_labels(at: Invocation) {
    let row = element(at);
    if row < N {
        y[row] = -x[row * N_CLASSES + labels[row]] / f32(N_ROWS);
    }
}

/// The gradient of the mean loss.
@compute @workgroup_size(WORKGROUP)
fn subtract_one_hot(at: Invocation) {
    let i = element(at);
    if i < N {
        let one_hot = select(0.0, 1.0, i % N_CLASSES == labels[i / N_CLASSES]);
        y[i] = (x[i] - one_hot) / f32(N_ROWS);
    }
}
