//! Four elements to position i of BUFFER, of which `left` exist. The position may be the middle of a word: where two
//! lanes, two rows, or the slice and what lies beside it share a word, each half has one writer, and changes by an
//! atomic exclusive or that leaves the other half as it is.

fn store_SLOT(i: u32, left: u32, value: vec4<u32>) {
    if (BUFFER_storage == F32) {
        atomicStore(&BUFFER[i], value.x);
        if (left > 1u) {
            atomicStore(&BUFFER[i + 1u], value.y);
        }
        if (left > 2u) {
            atomicStore(&BUFFER[i + 2u], value.z);
        }
        if (left > 3u) {
            atomicStore(&BUFFER[i + 3u], value.w);
        }
        return;
    }
    let half = narrowed(value, BUFFER_storage);
    let n = min(left, 4u);
    if (i % 2u == 0u) {
        store_pair_SLOT(i / 2u, half.xy, n);
        store_pair_SLOT(i / 2u + 1u, half.zw, max(n, 2u) - 2u);
    } else {
        store_half_SLOT(i / 2u, 16u, half.x);
        store_pair_SLOT(i / 2u + 1u, half.yz, n - 1u);
        store_pair_SLOT(i / 2u + 2u, half.wx, max(n, 3u) - 3u);
    }
}

/// The first `n` of a word's halves.
fn store_pair_SLOT(i: u32, pair: vec2<u32>, n: u32) {
    if (n > 1u) {
        atomicStore(&BUFFER[i], pair.x | (pair.y << 16u));
    } else if (n == 1u) {
        store_half_SLOT(i, 0u, pair.x);
    }
}
