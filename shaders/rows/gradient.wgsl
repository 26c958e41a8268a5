//! The second pass over a row: dlogits from what the first one found.

/// The row's gradient; returns the lane's sum of the loss terms met on the way, for families whose loss needs d first.
fn write_dlogits(place: Place, row: Row, weight: u32) -> f32 {
    let undefined = row.poisoned || (!row.ignored && divides_by_nothing());
    if (row.ignored || undefined) {
        fill_dlogits(place, select(0u, NAN, undefined));
        return 0f;
    }
    let factor = upstream(row_to_read(place), 0u) * inverse_divisor() * params.scale * bitcast<f32>(weight);
    var terms = 0f;
    var j = place.first;
    while (j < place.end) {
        var block = vec4<f32>();
        let end = min(place.end, j + TILES_PER_BLOCK * 4u * LANES);
        for (; j < end; j += 4u * LANES) {
            let e = load4(place, j, place.end - j);
            let dx = vec4<f32>(
                gradient(row, e[0], j),
                gradient(row, e[1], j + 1u),
                gradient(row, e[2], j + 2u),
                gradient(row, e[3], j + 3u),
            );
            let at = class_at(place.dlogits, j);
            store_dlogits(at, place.end - j, bitcast<vec4<u32>>(dx * factor));
            write_dtargets(place, row, j, e, factor);
            if (LOSS_FROM_GRADIENT_PASS) {
                block += vec4<f32>(
                    loss_term(row, e[0]),
                    loss_term(row, e[1]),
                    loss_term(row, e[2]),
                    loss_term(row, e[3]),
                );
            }
        }
        terms += (block.x + block.y) + (block.z + block.w);
    }
    return terms;
}

/// The gradient of a row whose logits do not matter.
fn fill_dlogits(place: Place, bits: u32) {
    for (var j = place.first; j < place.end; j += 4u * LANES) {
        let at = class_at(place.dlogits, j);
        store_dlogits(at, place.end - j, vec4<u32>(bits));
        fill_dtargets(place, j, bits);
    }
}
