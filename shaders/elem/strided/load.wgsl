//! Four elements from position i of SLOT, params.inner apart, of which `left` exist; the others read as `fill`.

fn load_SLOT(i: u32, left: u32, fill: u32) -> vec4<u32> {
    let last = i + (left - 1u) * params.inner;
    return vec4<u32>(
        SLOT_bits(i),
        select(fill, SLOT_bits(min(i + params.inner, last)), left > 1u),
        select(fill, SLOT_bits(min(i + 2u * params.inner, last)), left > 2u),
        select(fill, SLOT_bits(min(i + 3u * params.inner, last)), left > 3u),
    );
}
