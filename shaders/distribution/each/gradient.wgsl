//! The read that writes the gradient.

fn write_dlogits(place: Place, row: Row) {
    let factor = inverse_divisor() * params.scale;
    for (var j = place.first; j < place.end; j += 4u * LANES) {
        let left = place.end - j;
        let e = load4(place, j, left);
        let s = slopes4(place, j, left, row, e);
        let d = vec4<f32>(
            dx(row, e[0].x, class_of(row, e[0]), s.x),
            dx(row, e[1].x, class_of(row, e[1]), s.y),
            dx(row, e[2].x, class_of(row, e[2]), s.z),
            dx(row, e[3].x, class_of(row, e[3]), s.w),
        );
        let poison = vec4<u32>(select(0u, NAN, row.poisoned));
        store_dlogits(class_at(place.dlogits, j), left, bitcast<vec4<u32>>(d * factor) | poison);
    }
}
