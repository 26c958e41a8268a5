//! A window of classes of rows whose normalisers are known, and the terms of the classes before it, to the terms of
//! both.

@compute @workgroup_size(WORKGROUP_SIZE)
fn add_terms(builtins: Builtins, @builtin(workgroup_id) workgroup_id: vec3<u32>) {
    let lane = lane_of(builtins);
    let place = place_of(lane.index, workgroup_id);
    // 1. Terms of the window's classes.
    let row_index = row_to_read(place);
    let own = row_terms(lane, place, known_row(lane, row_index));
    // 2. Those before them first.
    if (place.row < params.n_rows && place.rank == 0u) {
        var before = Terms(0f, 0f);
        if (params.first_class > 0u) {
            before = saved_terms[place.row];
        }
        saved_terms[place.row] = Terms(before.loss + own.loss, before.slopes + own.slopes);
    }
}
