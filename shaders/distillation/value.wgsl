//! Four values per row, or per workgroup for a later sum: the weighted sum and its parts.

fn completed(lane: Lane, place: Place, row: Row) -> Row {
    var complete = row;
    complete.soft = soft_completed(lane, beside_teacher(place), row.soft);
    complete.value = valued(complete, complete.soft.value);
    return complete;
}

fn write_value(lane: Lane, place: Place, value: Value) {
    let in_range = place.row < params.n_rows;
    let leads = in_range && place.rank == 0u;
    if (params.per_row == 1u) {
        if (leads) {
            write_all(place.row, value);
        }
        return;
    }
    let total = group_sum(lane, value.total, leads);
    let hard = group_sum(lane, value.hard, leads);
    let soft = group_sum(lane, value.soft, leads);
    let z = group_sum(lane, value.z, leads);
    if (lane.index == 0u && in_range) {
        write_all(place.group, Value(total, hard, soft, z));
    }
}

fn group_sum(lane: Lane, value: u32, leads: bool) -> u32 {
    var own = NOTHING;
    if (leads) {
        own = total_of(value);
    }
    if (LANES < WORKGROUP_SIZE) {
        own = reduce_Total(lane, own, WORKGROUP_SIZE);
    }
    return bits_of(own);
}

fn write_all(i: u32, value: Value) {
    let at = params.values + i * 4u;
    values[at] = value.total;
    values[at + 1u] = value.hard;
    values[at + 2u] = value.soft;
    values[at + 3u] = value.z;
}
