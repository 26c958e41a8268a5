//! Four elements to position i of BUFFER, params.inner apart, of which `left` exist.

fn store_SLOT(i: u32, left: u32, value: vec4<u32>) {
    store_single_SLOT(i, value.x);
    if (left > 1u) {
        store_single_SLOT(i + params.inner, value.y);
    }
    if (left > 2u) {
        store_single_SLOT(i + 2u * params.inner, value.z);
    }
    if (left > 3u) {
        store_single_SLOT(i + 3u * params.inner, value.w);
    }
}
