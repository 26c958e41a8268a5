//! Logits to one value per class, and the state a backward pass can start from.

@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(builtins: Builtins, @builtin(workgroup_id) workgroup_id: vec3<u32>) {
    let lane = lane_of(builtins);
    let place = place_of(lane.index, workgroup_id);
    // 1. Both normalisers.
    let truth = truth_of(lane, place.row);
    let row = finish(truth, row_sums(lane, place, truth, row_weight(place.row)));
    if (place.row < params.n_rows && place.rank == 0u) {
        let state = state_of(row);
        for (var i = 0u; i < STATE_WIDTH; i++) {
            row_state[params.row_state + place.row * STATE_WIDTH + i] = state[i];
        }
    }
    // 2. Values.
    for (var j = place.first; j < place.end; j += 4u * LANES) {
        let left = place.end - j;
        write_values4(place, j, left, row, load4(place, j, left));
    }
}
