//! The read that sums g slope over the classes.

/// The lane's sum of g slope; values are written on the way.
fn lane_slopes(place: Place, row: Row) -> f32 {
    var slopes = 0f;
    var j = place.first;
    if (j >= place.end) {
        return slopes;
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
            let e = load4(place, j, left);
            write_values4(place, j, left, row, e);
            block += slopes4(place, j, left, row, e);
            j += 4u * LANES;
            if (LANES == 1u && j >= end) {
                break;
            }
        }
        slopes += (block.x + block.y) + (block.z + block.w);
        if (LANES == 1u && j >= place.end) {
            break;
        }
    }
    return slopes;
}

fn row_terms(lane: Lane, place: Place, row: Row) -> Terms {
    return Terms(0f, reduce_Total(lane, Total(lane_slopes(place, row), 0u), LANES).sum);
}
