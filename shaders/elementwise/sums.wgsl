//! One sum per row, or one per workgroup for a later sum. A row's sum over a window of its classes joins that over the
//! classes before it where it lies.

fn write_values4(row: u32, j: u32, left: u32, value: vec4<u32>) {}

fn write_total(lane: Lane, place: Place, own: Total) {
    if (params.per_row == 1u) {
        var total = reduce_Total(lane, own, LANES);
        if (place.row < params.n_rows && place.rank == 0u) {
            let at = params.values + place.row;
            if (params.first_class > 0u) {
                total = merge_Total(total_of(values[at]), total);
            }
            values[at] = bits_of(total);
        }
        return;
    }
    let total = reduce_Total(lane, own, WORKGROUP_SIZE);
    if (lane.index == 0u && place.row < params.n_rows) {
        values[params.values + place.group] = bits_of(total);
    }
}
