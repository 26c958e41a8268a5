//! Four classes of a row as they are loaded.

fn spread_weight(j: u32, exists: bool) -> f32 {
    return select(0f, params.even_share * element_factor(j), exists);
}

fn load4(place: Place, j: u32, left: u32) -> array<Element, 4> {
    return elements(load_logits(class_at(place.logits, j), left, NEG_INF), j, left);
}

fn elements(x: vec4<u32>, j: u32, left: u32) -> array<Element, 4> {
    if (!LABEL_SMOOTHING) {
        return array(
            Element(x.x, 0f, j),
            Element(x.y, 0f, j + 1u),
            Element(x.z, 0f, j + 2u),
            Element(x.w, 0f, j + 3u),
        );
    }
    return array(
        Element(x.x, spread_weight(j, true), j),
        Element(x.y, spread_weight(j + 1u, left > 1u), j + 1u),
        Element(x.z, spread_weight(j + 2u, left > 2u), j + 2u),
        Element(x.w, spread_weight(j + 3u, left > 3u), j + 3u),
    );
}
