//! Four classes as they are loaded, the logits once for both parts.

fn load4(place: Place, j: u32, left: u32) -> array<Element, 4> {
    let x = load_logits(class_at(place.logits, j), left, NEG_INF);
    let hard = hard_elements(x, j, left);
    let soft = soft_elements(beside_teacher(place), x, j, left);
    return array(
        Element(hard[0], soft[0]),
        Element(hard[1], soft[1]),
        Element(hard[2], soft[2]),
        Element(hard[3], soft[3]),
    );
}
