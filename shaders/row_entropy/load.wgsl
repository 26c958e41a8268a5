//! Four classes of a row as they are loaded.

fn load4(place: Place, j: u32, left: u32) -> array<Element, 4> {
    let x = load_logits(class_at(place.logits, j), left, NEG_INF);
    return array(Element(x.x), Element(x.y), Element(x.z), Element(x.w));
}
