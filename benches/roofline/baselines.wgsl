// What the memory gives: words moved, and words read, sixteen bytes a lane at a time.

const WORKGROUP_SIZE: u32 = 256u;

@group(0) @binding(0) var<storage, read> source: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> target_words: array<vec4u>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn copy_words(@builtin(global_invocation_id) lane: vec3u, @builtin(num_workgroups) groups: vec3u) {
    for (var i = lane.x; i < arrayLength(&source); i += groups.x * WORKGROUP_SIZE) {
        target_words[i] = source[i];
    }
}

// What is read may be left behind, so none of it can be left out; it hardly ever is.
@compute @workgroup_size(WORKGROUP_SIZE)
fn read_words(@builtin(global_invocation_id) lane: vec3u, @builtin(num_workgroups) groups: vec3u) {
    var seen = vec4u();
    for (var i = lane.x; i < arrayLength(&source); i += groups.x * WORKGROUP_SIZE) {
        seen ^= source[i];
    }
    if (all(seen == vec4u(0x9e3779b9u))) {
        target_words[lane.x] = seen;
    }
}
