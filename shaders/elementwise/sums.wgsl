//! One sum per row, or one per workgroup for a later sum.

fn write_values4(row: u32, j: u32, left: u32, value: vec4<u32>) {}

fn write_total(lane: Lane, place: Place, own: Total) {
    if (PER_ROW) {
        let total = reduce_Total(lane, own, LANES);
        if (place.row < params.n_rows && place.rank == 0u) {
            values[params.values + place.row] = bits_of(total);
        }
        return;
    }
    let total = reduce_Total(lane, own, WORKGROUP_SIZE);
    if (lane.index == 0u && place.row < params.n_rows) {
        values[params.values + place.group] = bits_of(total);
    }
}
