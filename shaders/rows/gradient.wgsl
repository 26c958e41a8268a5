//! The second pass over a row: dlogits from what the first one found.

/// The row's gradient; returns the lane's sum of the loss terms met on the way, for families whose loss needs d first.
fn write_dlogits(place: Place, row: Row) -> f32 {
    let factor = upstream(place.row, 0u) * inverse_divisor() * params.scale;
    let keep = select(0xffffffffu, 0u, row.ignored);
    let poison = select(0u, NAN, row.poisoned);
    var terms = 0f;
    var j = place.rank * 4u;
    loop {
        if (j >= place.len) {
            break;
        }
        var block = vec4<f32>();
        for (var tile = 0u; tile < TILES_PER_BLOCK && j < place.len; tile++) {
            let e = load4(place.row, j, place.len - j);
            let dx = vec4<f32>(
                gradient(row, e[0], j),
                gradient(row, e[1], j + 1u),
                gradient(row, e[2], j + 2u),
                gradient(row, e[3], j + 3u),
            );
            let bits = (bitcast<vec4<u32>>(dx * factor) & vec4<u32>(keep)) | vec4<u32>(poison);
            store_dlogits(params.dlogits + place.row * params.dlogits_stride + j, place.len - j, bits);
            if (LOSS_FROM_GRADIENT_PASS) {
                block += vec4<f32>(
                    loss_term(row, e[0]),
                    loss_term(row, e[1]),
                    loss_term(row, e[2]),
                    loss_term(row, e[3]),
                );
            }
            j += 4u * LANES;
        }
        terms += (block.x + block.y) + (block.z + block.w);
    }
    return terms;
}
