//! The read that sums g slope over the classes.

/// The lane's sum of g slope; values are written on the way.
fn lane_slopes(place: Place, row: Row) -> f32 {
    var slopes = 0f;
    var j = place.first;
    while (j < place.end) {
        var block = vec4<f32>();
        let end = min(place.end, j + TILES_PER_BLOCK * 4u * LANES);
        for (; j < end; j += 4u * LANES) {
            let left = place.end - j;
            let e = load4(place, j, left);
            write_values4(place, j, left, row, e);
            block += slopes4(place, j, left, row, e);
        }
        slopes += (block.x + block.y) + (block.z + block.w);
    }
    return slopes;
}

fn row_terms(lane: Lane, place: Place, row: Row) -> Terms {
    return Terms(0f, reduce_Total(lane, Total(lane_slopes(place, row), 0u), LANES).sum);
}
