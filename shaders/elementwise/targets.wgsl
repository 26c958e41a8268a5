//! One target per element.

fn targets4(place: Place, j: u32, left: u32) -> vec4<u32> {
    return load_targets(class_at(place.targets, j), left, 0u);
}
