//! The student: a softmax regression on the last characters, each of which has a row of weights for every place it may
//! stand at. logits[row, c] = sum_j params[table j, the row's character at place j, c], and a bias.
//!
//! The parameters are CONTEXT tables `[N_CLASSES, N_CLASSES]`, then the bias `[N_CLASSES]`, as a table of one row.

override N_CLASSES: u32;
override CONTEXT: u32;
override LEARNING_RATE: f32;

@group(0) @binding(0) var<storage, read> contexts: array<u32>;       // [n_rows, CONTEXT]
@group(0) @binding(1) var<storage, read_write> params: array<f32>;
@group(0) @binding(2) var<storage, read_write> logits: array<f32>;   // [n_rows, N_CLASSES]
@group(0) @binding(3) var<storage, read> dlogits: array<f32>;        // [n_rows, N_CLASSES]

fn param_at(table: u32, row: u32, c: u32) -> u32 {
    var character = 0u;
    if table < CONTEXT {
        character = contexts[row * CONTEXT + table];
    }
    return (table * N_CLASSES + character) * N_CLASSES + c;
}

/// One invocation per logit.
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x / N_CLASSES;
    if row < arrayLength(&logits) / N_CLASSES {
        var sum = 0.0;
        for (var table = 0u; table <= CONTEXT; table++) {
            sum += params[param_at(table, row, id.x % N_CLASSES)];
        }
        logits[id.x] = sum;
    }
}

/// A step of descent; one invocation per column of a table, which nobody else touches.
@compute @workgroup_size(64)
fn descend(@builtin(global_invocation_id) id: vec3<u32>) {
    let table = id.x / N_CLASSES;
    let c = id.x % N_CLASSES;
    if table <= CONTEXT {
        for (var row = 0u; row < arrayLength(&dlogits) / N_CLASSES; row++) {
            params[param_at(table, row, c)] -= LEARNING_RATE * dlogits[row * N_CLASSES + c];
        }
    }
}
