//! The gradient of each element: the same whether values are wanted or not.

fn dx(row: u32, j: u32, e: Element, factor: f32) -> u32 {
    return settle(e, times(e.weight * upstream(row, j) * factor, dloss_dx(e)), slope_is_infinite(e));
}

fn write_dlogits4(place: Place, j: u32, left: u32, e: array<Element, 4>) {
    let factor = inverse_divisor();
    let last = j + left - 1u;
    let bits = vec4<u32>(
        dx(place.row, j, e[0], factor),
        dx(place.row, min(j + 1u, last), e[1], factor),
        dx(place.row, min(j + 2u, last), e[2], factor),
        dx(place.row, min(j + 3u, last), e[3], factor),
    );
    store_dlogits(class_at(place.dlogits, j), left, select(bits, vec4<u32>(NAN), divides_by_nothing()));
}
