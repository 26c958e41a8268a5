//! One value per row, or one per workgroup for a later sum.

/// A row's loss as bits.
alias Value = u32;

/// The row's loss, or the sum over the workgroup's rows.
fn write_value(lane: Lane, place: Place, value: u32) {
    let in_range = place.row < params.n_rows;
    if (params.per_row == 1u) {
        if (in_range && place.rank == 0u) {
            values[params.values + place.row] = value;
        }
        return;
    }
    var own = NOTHING;
    if (in_range && place.rank == 0u) {
        own = total_of(value);
    }
    if (LANES < WORKGROUP_SIZE) {
        own = reduce_Total(lane, own, WORKGROUP_SIZE);
    }
    if (lane.index == 0u && in_range) {
        values[params.values + place.group] = bits_of(own);
    }
}
