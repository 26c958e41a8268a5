//! The second pass over a row that may have been kept.

/// The row's gradient, as write_dlogits has it.
fn second_pass(place: Place, row: Row, weight: u32) -> f32 {
    if (KEPT_CLASSES == 0u) {
        return write_dlogits(place, row, weight);
    }
    let scaling = scaling_of(place, row, weight);
    var terms = write_kept(0u, place, row, scaling);
    if (KEPT_CLASSES > 4u) {
        terms += write_kept(4u, place, row, scaling);
    }
    if (KEPT_CLASSES > 8u) {
        terms += write_kept(8u, place, row, scaling);
    }
    if (KEPT_CLASSES > 12u) {
        terms += write_kept(12u, place, row, scaling);
    }
    return (terms.x + terms.y) + (terms.z + terms.w);
}

fn write_kept(c: u32, place: Place, row: Row, scaling: Scaling) -> vec4<f32> {
    let j = place.first + c * LANES;
    if (j >= place.end) {
        return vec4<f32>();
    }
    return write_tile(place, row, j, kept_left(c, place.end - j), kept[c / 4u], scaling);
}
