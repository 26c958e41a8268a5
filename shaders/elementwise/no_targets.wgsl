//! There is no target.

fn targets4(place: Place, j: u32, left: u32) -> vec4<u32> {
    return vec4<u32>();
}
