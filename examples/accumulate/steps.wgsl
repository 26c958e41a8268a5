//! A linear layer, logits = x W^T + b, whose gradient is summed over micro-batches before a step of descent; one
//! invocation per number written. A micro-batch is rows FIRST_ROW.. of the data.
//!
//! The parameters are one matrix `[N_CLASSES, N_FEATURES + 1]`: row c holds the weights of class c, then its bias.

override N_ROWS: u32;
override N_FEATURES: u32;
override N_CLASSES: u32;
override FIRST_ROW: u32;
override LEARNING_RATE: f32;
override LOSS_SCALE: f32;

@group(0) @binding(0) var<storage, read> x: array<f32>;              // [.., N_FEATURES]
@group(0) @binding(1) var<storage, read_write> params: array<f32>;   // [N_CLASSES, N_FEATURES + 1]
@group(0) @binding(2) var<storage, read_write> logits: array<f32>;   // [N_ROWS, N_CLASSES]
@group(0) @binding(3) var<storage, read> dlogits: array<f32>;        // [N_ROWS, N_CLASSES]
@group(0) @binding(4) var<storage, read_write> gradient: array<f32>; // [N_CLASSES, N_FEATURES + 1]
@group(0) @binding(5) var<storage, read> labels: array<i32>;         // all of the data's
@group(0) @binding(6) var<storage, read_write> n_kept: f32;

/// x, and at its end the 1 whose weight is the bias.
fn input(row: u32, k: u32) -> f32 {
    if k == N_FEATURES {
        return 1.0;
    }
    return x[(FIRST_ROW + row) * N_FEATURES + k];
}

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x / N_CLASSES;
    let first = id.x % N_CLASSES * (N_FEATURES + 1u);
    if row < N_ROWS {
        var sum = 0.0;
        for (var k = 0u; k <= N_FEATURES; k++) {
            sum += params[first + k] * input(row, k);
        }
        logits[id.x] = sum;
    }
}

/// gradient += dlogits^T (x, 1)
@compute @workgroup_size(64)
fn accumulate(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = id.x / (N_FEATURES + 1u);
    let k = id.x % (N_FEATURES + 1u);
    if c < N_CLASSES {
        var sum = 0.0;
        for (var row = 0u; row < N_ROWS; row++) {
            sum += dlogits[row * N_CLASSES + c] * input(row, k);
        }
        gradient[id.x] += sum;
    }
}

/// A step of descent along what was accumulated, which starts again from 0.
@compute @workgroup_size(64)
fn descend(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < N_CLASSES * (N_FEATURES + 1u) {
        params[id.x] -= LEARNING_RATE * gradient[id.x] / LOSS_SCALE;
        gradient[id.x] = 0.0;
    }
}

/// How many of all labels count: the divisor of every micro-batch's loss.
@compute @workgroup_size(1)
fn count() {
    var kept = 0.0;
    for (var row = 0u; row < arrayLength(&labels); row++) {
        kept += f32(labels[row] >= 0);
    }
    n_kept = kept;
}
