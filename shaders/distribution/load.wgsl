//! Four classes of both distributions as they are loaded.

fn load4(place: Place, j: u32, left: u32) -> array<Element, 4> {
    return elements(place, load_logits(class_at(place.logits, j), left, NEG_INF), j, left);
}

/// The logits of four classes with their teacher's numbers.
fn elements(place: Place, x: vec4<u32>, j: u32, left: u32) -> array<Element, 4> {
    let y = load_teacher(place, j, left);
    return array(
        Element(x.x, y.x, element_factor(j), j),
        Element(x.y, y.y, select(0f, element_factor(j + 1u), left > 1u), j + 1u),
        Element(x.z, y.z, select(0f, element_factor(j + 2u), left > 2u), j + 2u),
        Element(x.w, y.w, select(0f, element_factor(j + 3u), left > 3u), j + 3u),
    );
}
