//! A linear layer and its gradients: y = x W^T + b.
//!
//! A layer's parameters are one matrix `[n_out, n_in + 1]` from `first` on in the network's parameters: row o holds the
//! weights of output o, then its bias. The gradients lie at the same place in `grads`.
//! One invocation per number of the result, whatever the shape.

struct Layer { n_rows: u32, n_in: u32, n_out: u32, first: u32 }

@group(0) @binding(0) var<uniform> layer: Layer;
@group(0) @binding(1) var<storage, read> params: array<f32>;
@group(0) @binding(2) var<storage, read> x: array<f32>;            // [n_rows, n_in]
@group(0) @binding(3) var<storage, read_write> y: array<f32>;      // [n_rows, n_out]
@group(0) @binding(4) var<storage, read> dy: array<f32>;           // [n_rows, n_out]
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;     // [n_rows, n_in]
@group(0) @binding(6) var<storage, read_write> grads: array<f32>;

fn weight_at(o: u32, i: u32) -> u32 {
    return layer.first + o * (layer.n_in + 1u) + i;
}

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x / layer.n_out;
    let o = id.x % layer.n_out;
    if row < layer.n_rows {
        var sum = params[weight_at(o, layer.n_in)];
        for (var i = 0u; i < layer.n_in; i++) {
            sum += params[weight_at(o, i)] * x[row * layer.n_in + i];
        }
        y[id.x] = sum;
    }
}

@compute @workgroup_size(64)
fn backward_input(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x / layer.n_in;
    let i = id.x % layer.n_in;
    if row < layer.n_rows {
        var sum = 0.0;
        for (var o = 0u; o < layer.n_out; o++) {
            sum += dy[row * layer.n_out + o] * params[weight_at(o, i)];
        }
        dx[id.x] = sum;
    }
}

@compute @workgroup_size(64)
fn backward_params(@builtin(global_invocation_id) id: vec3<u32>) {
    let o = id.x / (layer.n_in + 1u);
    let i = id.x % (layer.n_in + 1u);
    if o < layer.n_out {
        var sum = 0.0;
        for (var row = 0u; row < layer.n_rows; row++) {
            // The bias is a weight on an input that is always 1.
            var input = 1.0;
            if i < layer.n_in {
                input = x[row * layer.n_in + i];
            }
            sum += dy[row * layer.n_out + o] * input;
        }
        grads[weight_at(o, i)] = sum;
    }
}
