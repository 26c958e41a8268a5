//! A segmenter of two layers, both with their channels in planes `[n, channels, H*W]`.
//!
//! 1. Features, which are not trained: which template fits best where it fits best of all places where it covers the pixel,
//!    as a softmax over the templates; and the pixel's ink.
//! 2. Logits: a linear layer on the features of a pixel, a convolution of 1 x 1.

override DIGIT: u32;
override EDGE: u32;
override N_PIXELS: u32 = EDGE * EDGE;
override N_CLASSES: u32;
override N_TEMPLATES: u32;
override SHARPNESS: f32;
override LEARNING_RATE: f32;

@group(0) @binding(0) var<storage, read> ink: array<f32>;             // [n, H*W]
@group(0) @binding(1) var<storage, read> templates: array<f32>;       // [N_TEMPLATES, DIGIT, DIGIT]
@group(0) @binding(2) var<storage, read_write> fits: array<f32>;      // [n, N_TEMPLATES, H*W]
@group(0) @binding(3) var<storage, read_write> features: array<f32>;  // [n, N_TEMPLATES + 1, H*W]
@group(0) @binding(4) var<storage, read_write> params: array<f32>;    // [N_CLASSES, N_TEMPLATES + 2], the bias last
@group(0) @binding(5) var<storage, read_write> logits: array<f32>;    // [n, N_CLASSES, H*W]
@group(0) @binding(6) var<storage, read> dlogits: array<f32>;         // [n, N_CLASSES, H*W]

fn feature_at(image: u32, k: u32, pixel: u32) -> u32 {
    return (image * (N_TEMPLATES + 1u) + k) * N_PIXELS + pixel;
}

/// One invocation per pixel and template: how well it fits with its top left corner there; beyond the edge is paper.
@compute @workgroup_size(64)
fn fit(@builtin(global_invocation_id) id: vec3<u32>) {
    let pixel = id.x % N_PIXELS;
    let which = id.x / N_PIXELS % N_TEMPLATES;
    let image = id.x / N_PIXELS / N_TEMPLATES;
    let height = min(DIGIT, EDGE - pixel / EDGE);
    let width = min(DIGIT, EDGE - pixel % EDGE);
    var sum = 0.0;
    for (var y = 0u; y < height; y++) {
        for (var x = 0u; x < width; x++) {
            let here = ink[image * N_PIXELS + pixel + y * EDGE + x];
            sum += here * templates[(which * DIGIT + y) * DIGIT + x];
        }
    }
    fits[id.x] = sum;
}

/// One invocation per pixel and template: how well it fits where it fits best.
@compute @workgroup_size(64)
fn pool(@builtin(global_invocation_id) id: vec3<u32>) {
    let pixel = id.x % N_PIXELS;
    let plane = id.x / N_PIXELS;
    let up = min(DIGIT - 1u, pixel / EDGE);
    let left = min(DIGIT - 1u, pixel % EDGE);
    var best = 0.0;
    for (var y = 0u; y <= up; y++) {
        for (var x = 0u; x <= left; x++) {
            best = max(best, fits[id.x - y * EDGE - x]);
        }
    }
    features[feature_at(plane / N_TEMPLATES, plane % N_TEMPLATES, pixel)] = best;
}

/// One invocation per pixel: the softmax over the templates in place, and the ink.
@compute @workgroup_size(64)
fn compare(@builtin(global_invocation_id) id: vec3<u32>) {
    let pixel = id.x % N_PIXELS;
    let image = id.x / N_PIXELS;
    var best = 0.0;
    for (var k = 0u; k < N_TEMPLATES; k++) {
        best = max(best, features[feature_at(image, k, pixel)]);
    }
    var sum = 0.0;
    for (var k = 0u; k < N_TEMPLATES; k++) {
        sum += exp(SHARPNESS * (features[feature_at(image, k, pixel)] - best));
    }
    for (var k = 0u; k < N_TEMPLATES; k++) {
        let at = feature_at(image, k, pixel);
        features[at] = exp(SHARPNESS * (features[at] - best)) / sum;
    }
    features[feature_at(image, N_TEMPLATES, pixel)] = ink[id.x];
}

/// One invocation per logit.
@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    let pixel = id.x % N_PIXELS;
    let image = id.x / N_PIXELS / N_CLASSES;
    let weights = id.x / N_PIXELS % N_CLASSES * (N_TEMPLATES + 2u);
    var sum = params[weights + N_TEMPLATES + 1u];
    for (var k = 0u; k <= N_TEMPLATES; k++) {
        sum += params[weights + k] * features[feature_at(image, k, pixel)];
    }
    logits[id.x] = sum;
}

var<workgroup> shares: array<f32, 64>;

/// A step of descent; one workgroup per parameter, whose lanes share the pixels.
@compute @workgroup_size(64)
fn descend(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let c = group.x / (N_TEMPLATES + 2u);
    let k = group.x % (N_TEMPLATES + 2u);
    let n_images = arrayLength(&dlogits) / N_PIXELS / N_CLASSES;
    var sum = 0.0;
    for (var image = 0u; image < n_images; image++) {
        for (var pixel = lane; pixel < N_PIXELS; pixel += 64u) {
            // The bias is a weight on an input that is always 1.
            var input = 1.0;
            if k <= N_TEMPLATES {
                input = features[feature_at(image, k, pixel)];
            }
            sum += dlogits[(image * N_CLASSES + c) * N_PIXELS + pixel] * input;
        }
    }
    shares[lane] = sum;
    workgroupBarrier();
    if lane == 0u {
        var gradient = 0.0;
        for (var k = 0u; k < 64u; k++) {
            gradient += shares[k];
        }
        params[group.x] -= LEARNING_RATE * gradient;
    }
}
