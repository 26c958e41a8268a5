//! Four elements to position i of BUFFER, of which `left` exist.

fn store_SLOT(i: u32, left: u32, value: vec4<u32>) {
    BUFFER[i] = value.x;
    if (left > 1u) {
        BUFFER[i + 1u] = value.y;
    }
    if (left > 2u) {
        BUFFER[i + 2u] = value.z;
    }
    if (left > 3u) {
        BUFFER[i + 3u] = value.w;
    }
}
