//! A window of classes, and the sums over the classes before it, to the sums over both.

@compute @workgroup_size(WORKGROUP_SIZE)
fn accumulate(builtins: Builtins, @builtin(workgroup_id) workgroup_id: vec3<u32>) {
    let lane = lane_of(builtins);
    let place = place_of(lane.index, workgroup_id);
    // 1. Sums over the window's classes.
    let row_index = row_to_read(place);
    let truth = truth_of(lane, row_index);
    let own = row_sums(lane, place, truth, row_weight(row_index));
    // 2. Those before them first.
    if (place.row < params.n_rows && place.rank == 0u) {
        var before = EMPTY;
        if (params.first_class > 0u) {
            before = saved_sums[place.row];
        }
        saved_sums[place.row] = kept_sums(truth, merge_Sums(before, own));
    }
}
