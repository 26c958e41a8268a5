//! Logits and the upstream gradient.

fn load4(row: u32, j: u32, left: u32) -> array<Element, 4> {
    let x = load_logits(params.logits + row * params.logits_stride + j, left, NEG_INF);
    let g = bitcast<vec4<f32>>(load_dloss(params.dloss + row * params.dloss_row_stride + j, left, 0u));
    return array(Element(x.x, g.x), Element(x.y, g.y), Element(x.z, g.z), Element(x.w, g.w));
}
