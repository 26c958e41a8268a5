//! Logits and the upstream gradient.

fn load4(place: Place, j: u32, left: u32) -> array<Element, 4> {
    let x = load_logits(class_at(place.logits, j), left, NEG_INF);
    let at = class_at(params.dloss + row_start(place.row, params.dloss_row_stride), j);
    let g = bitcast<vec4<f32>>(load_dloss(at, left, 0u));
    return array(Element(x.x, g.x), Element(x.y, g.y), Element(x.z, g.z), Element(x.w, g.w));
}
