//! Logits to one value per class, and the state a backward pass can start from.

@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(builtins: Builtins, @builtin(workgroup_id) workgroup_id: vec3<u32>) {
    let lane = lane_of(builtins);
    let place = place_of(lane.index, workgroup_id);
    // 1. (m, D) of the row.
    let sums = row_sums(lane, place, truth_of(lane, place.row), row_weight(place.row));
    let row = row_of(sums.softmax, 0f, sums.bad != 0u);
    // 2. The state.
    if (place.row < params.n_rows && place.rank == 0u) {
        let at = params.row_state + place.row * 2u;
        row_state[at] = select(bitcast<u32>(row.softmax.m), NAN, row.poisoned);
        row_state[at + 1u] = bitcast<u32>(row.softmax.D);
    }
    // 3. The values.
    for (var j = place.first; j < place.end; j += 4u * LANES) {
        let left = place.end - j;
        let at = class_at(params.values + row_start(place.row, params.values_stride), j);
        store_values(at, left, values4(row, load4(place, j, left)));
    }
}
