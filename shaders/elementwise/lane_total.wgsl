//! The pass over a row.

/// The lane's sum of values; values and gradients of single elements are written on the way.
fn lane_total(place: Place) -> Total {
    var total = NOTHING;
    var j = place.first;
    while (j < place.end) {
        var block = array(NOTHING, NOTHING, NOTHING, NOTHING);
        let end = min(place.end, j + TILES_PER_BLOCK * 4u * LANES);
        for (; j < end; j += 4u * LANES) {
            let left = place.end - j;
            let e = load4(place, j, left);
            let value = values4(e);
            write_values4(place.row, j, left, value);
            write_dlogits4(place, j, left, e);
            block[0] = merge_Total(block[0], total_of(value.x));
            block[1] = merge_Total(block[1], total_of(select(0u, value.y, left > 1u)));
            block[2] = merge_Total(block[2], total_of(select(0u, value.z, left > 2u)));
            block[3] = merge_Total(block[3], total_of(select(0u, value.w, left > 3u)));
        }
        total = merge_Total(total, merge_Total(merge_Total(block[0], block[1]), merge_Total(block[2], block[3])));
    }
    return total;
}
