//! A linear layer, logits = x W^T + b, and one step of gradient descent on it; one invocation per number written.
//!
//! Its parameters are one matrix `[N_CLASSES, N_FEATURES + 1]`: row c holds the weights of class c, then its bias.

override N_ROWS: u32;
override N_FEATURES: u32;
override N_CLASSES: u32;
override LEARNING_RATE: f32;

@group(0) @binding(0) var<storage, read> x: array<f32>;            // [N_ROWS, N_FEATURES]
@group(0) @binding(1) var<storage, read_write> params: array<f32>; // [N_CLASSES, N_FEATURES + 1]
@group(0) @binding(2) var<storage, read_write> logits: array<f32>; // [N_ROWS, N_CLASSES]
@group(0) @binding(3) var<storage, read> dlogits: array<f32>;      // [N_ROWS, N_CLASSES]

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x / N_CLASSES;
    let first = id.x % N_CLASSES * (N_FEATURES + 1u);
    if row < N_ROWS {
        var sum = params[first + N_FEATURES];
        for (var k = 0u; k < N_FEATURES; k++) {
            sum += params[first + k] * x[row * N_FEATURES + k];
        }
        logits[id.x] = sum;
    }
}

/// The gradient of a parameter is dlogits^T (x, 1); no buffer holds it.
@compute @workgroup_size(64)
fn descend(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = id.x / (N_FEATURES + 1u);
    let k = id.x % (N_FEATURES + 1u);
    if c < N_CLASSES {
        var gradient = 0.0;
        for (var row = 0u; row < N_ROWS; row++) {
            // The bias is a weight on an input that is always 1.
            var input = 1.0;
            if k < N_FEATURES {
                input = x[row * N_FEATURES + k];
            }
            gradient += dlogits[row * N_CLASSES + c] * input;
        }
        params[id.x] -= LEARNING_RATE * gradient;
    }
}
