//! g slope of four classes; nothing flows where there is no slope.

fn slopes4(place: Place, j: u32, left: u32, row: Row, e: array<Element, 4>) -> vec4<f32> {
    let last = j + left - 1u;
    return vec4<f32>(
        times(slope(class_of(row, e[0])), element_upstream(place.row, j)),
        times(slope(class_of(row, e[1])), element_upstream(place.row, min(j + 1u, last))),
        times(slope(class_of(row, e[2])), element_upstream(place.row, min(j + 2u, last))),
        times(slope(class_of(row, e[3])), element_upstream(place.row, min(j + 3u, last))),
    );
}
