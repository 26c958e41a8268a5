//! One step of Adam (Kingma & Ba 2015, algorithm 1 in the order of its section 2). `alpha` already holds the bias
//! corrections: learning rate x sqrt(1 - beta2^t) / (1 - beta1^t). All arrays have one length.

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

@group(0) @binding(0) var<uniform> alpha: f32;
@group(0) @binding(1) var<storage, read> grads: array<f32>;
@group(0) @binding(2) var<storage, read_write> m: array<f32>;
@group(0) @binding(3) var<storage, read_write> v: array<f32>;
@group(0) @binding(4) var<storage, read_write> params: array<f32>;

@compute @workgroup_size(64)
fn update(@builtin(global_invocation_id) id: vec3<u32>) {
    let k = id.x;
    if k < arrayLength(&params) {
        let g = grads[k];
        m[k] = BETA1 * m[k] + (1.0 - BETA1) * g;
        v[k] = BETA2 * v[k] + (1.0 - BETA2) * g * g;
        params[k] -= alpha * m[k] / (sqrt(v[k]) + EPSILON);
    }
}
