//! The second pass over a row: dlogits from what the first one found.

/// The row's gradient; returns the lane's sum of the loss terms met on the way, for families whose loss needs d first.
fn write_dlogits(place: Place, row: Row, weight: u32) -> f32 {
    let scaling = scaling_of(place, row, weight);
    var terms = 0f;
    var j = place.first;
    if (j >= place.end) {
        return terms;
    }
    loop {
        if (LANES > 1u && j >= place.end) {
            break;
        }
        var block = vec4<f32>();
        let end = min(place.end, j + TILES_PER_BLOCK * 4u * LANES);
        loop {
            if (LANES > 1u && j >= end) {
                break;
            }
            let left = place.end - j;
            var e: array<Element, 4>;
            if (!scaling.is_settled) {
                e = load4(place, j, left);
            }
            block += write_tile(place, row, j, left, e, scaling);
            j += 4u * LANES;
            if (LANES == 1u && j >= end) {
                break;
            }
        }
        terms += (block.x + block.y) + (block.z + block.w);
        if (LANES == 1u && j >= place.end) {
            break;
        }
    }
    return terms;
}
