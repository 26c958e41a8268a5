//! max(h, 0) in place, and its gradient in place: dh where h > 0, else 0. All arrays have one length.

@group(0) @binding(0) var<storage, read_write> h: array<f32>;
@group(0) @binding(1) var<storage, read> activated: array<f32>;    // h after `forward`
@group(0) @binding(2) var<storage, read_write> dh: array<f32>;

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < arrayLength(&h) {
        h[id.x] = max(h[id.x], 0.0);
    }
}

@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < arrayLength(&dh) {
        dh[id.x] = select(0.0, dh[id.x], activated[id.x] > 0.0);
    }
}
