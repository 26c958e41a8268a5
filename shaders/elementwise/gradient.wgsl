//! The gradient of each element: the same whether values are wanted or not.

/// The upstream gradients of four elements from j, the last of which is at `last`.
fn upstream4(row: u32, j: u32, last: u32) -> vec4<f32> {
    if (UPSTREAM != PER_ELEMENT) {
        return vec4<f32>(element_upstream(row, j));
    }
    return vec4<f32>(
        element_upstream(row, j),
        element_upstream(row, min(j + 1u, last)),
        element_upstream(row, min(j + 2u, last)),
        element_upstream(row, min(j + 3u, last)),
    );
}

fn dx(e: Element, factor: f32) -> u32 {
    return settle(e, times(e.weight, times(dloss_dx(e), factor)), slope_is_infinite(e));
}

fn write_dlogits4(place: Place, j: u32, left: u32, e: array<Element, 4>) {
    let factor = upstream4(place.row, j, j + left - 1u) * inverse_divisor();
    let bits = vec4<u32>(dx(e[0], factor.x), dx(e[1], factor.y), dx(e[2], factor.z), dx(e[3], factor.w));
    store_dlogits(class_at(place.dlogits, j), left, select(bits, vec4<u32>(NAN), divides_by_nothing()));
}
