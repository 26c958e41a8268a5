//! The read that sums g slope over the classes, and the one that writes the gradient.

/// g slope of four classes; nothing flows where there is no slope.
fn slopes4(place: Place, j: u32, left: u32, row: Row, e: array<Element, 4>) -> vec4<f32> {
    let last = j + left - 1u;
    return vec4<f32>(
        times(slope(class_of(row, e[0])), upstream(place.row, j)),
        times(slope(class_of(row, e[1])), upstream(place.row, min(j + 1u, last))),
        times(slope(class_of(row, e[2])), upstream(place.row, min(j + 2u, last))),
        times(slope(class_of(row, e[3])), upstream(place.row, min(j + 3u, last))),
    );
}

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

fn row_slopes(lane: Lane, place: Place, row: Row) -> f32 {
    return reduce_Total(lane, Total(lane_slopes(place, row), 0u), LANES).sum;
}

fn write_dlogits(place: Place, row: Row) {
    let factor = inverse_divisor() * params.scale;
    for (var j = place.first; j < place.end; j += 4u * LANES) {
        let left = place.end - j;
        let e = load4(place, j, left);
        let s = slopes4(place, j, left, row, e);
        let d = vec4<f32>(
            dx(row, class_of(row, e[0]), s.x),
            dx(row, class_of(row, e[1]), s.y),
            dx(row, class_of(row, e[2]), s.z),
            dx(row, class_of(row, e[3]), s.w),
        );
        let poison = vec4<u32>(select(0u, NAN, row.poisoned));
        store_dlogits(class_at(place.dlogits, j), left, bitcast<vec4<u32>>(d * factor) | poison);
    }
}
