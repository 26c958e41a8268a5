//! The class with the greatest logit, the lowest one on ties: one invocation per row.

struct Shape { n_rows: u32, n_classes: u32 }

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> logits: array<f32>;       // [n_rows, n_classes]
@group(0) @binding(2) var<storage, read_write> classes: array<u32>; // [n_rows]

@compute @workgroup_size(64)
fn argmax(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x;
    if row < shape.n_rows {
        var best = 0u;
        for (var j = 1u; j < shape.n_classes; j++) {
            if logits[row * shape.n_classes + j] > logits[row * shape.n_classes + best] {
                best = j;
            }
        }
        classes[row] = best;
    }
}
