//! The second pass over a row that was kept.

/// The row's gradient; returns the lane's sum of the loss terms met on the way, for families whose loss needs d first.
fn write_dlogits(place: Place, row: Row, weight: u32) -> f32 {
    let scaling = scaling_of(place, row, weight);
    var terms = vec4<f32>();
    terms += write_kept(EACH_TILE, place, row, scaling);
    return (terms.x + terms.y) + (terms.z + terms.w);
}

fn write_kept(c: u32, place: Place, row: Row, scaling: Scaling) -> vec4<f32> {
    let j = place.first + c * LANES;
    if (j >= place.end) {
        return vec4<f32>();
    }
    return write_tile(place, row, j, kept_left(c, place.end - j), kept[c / 4u], scaling);
}
