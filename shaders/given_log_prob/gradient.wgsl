//! The gradient of a row: 0 but at the target.

fn write_dlogits(place: Place, row: Row) {
    let factor = upstream(row_to_read(place)) * inverse_divisor() * bitcast<f32>(row.weight);
    let undefined = row.poisoned || (!row.ignored && divides_by_nothing());
    let elsewhere = select(0u, NAN, undefined);
    let at_t = select(bitcast<u32>(row.slope * factor), elsewhere, row.ignored || undefined);
    for (var j = place.first; j < place.end; j += 4u * LANES) {
        let is_target = vec4<u32>(j, j + 1u, j + 2u, j + 3u) == vec4<u32>(row.t);
        let bits = select(vec4<u32>(elsewhere), vec4<u32>(at_t), is_target);
        store_dlogits(class_at(place.dlogits, j), place.end - j, bits);
    }
}
