//! Four elements from position i of SLOT, of which `left` exist; the others read as `fill`.

fn load_SLOT(i: u32, left: u32, fill: u32) -> vec4<u32> {
    let last = i + left - 1u;
    return vec4<u32>(
        SLOT[i],
        select(fill, SLOT[min(i + 1u, last)], left > 1u),
        select(fill, SLOT[min(i + 2u, last)], left > 2u),
        select(fill, SLOT[min(i + 3u, last)], left > 3u),
    );
}
