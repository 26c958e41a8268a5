//! Four elements from position i of SLOT in words of 64 bits, of which `left`, a multiple of two, exist; the others read
//! as `fill`. Rows, strides and positions are multiples of two.

fn load_SLOT(i: u32, left: u32, fill: u32) -> vec4<u32> {
    let low = SLOT[i / 2u];
    let high = SLOT[i / 2u + select(0u, 1u, left > 2u)];
    return vec4<u32>(
        u32(low),
        u32(low >> 32u),
        select(fill, u32(high), left > 2u),
        select(fill, u32(high >> 32u), left > 2u),
    );
}
