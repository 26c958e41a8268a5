//! Logits to row losses, and the state a backward pass can start from.

@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(builtins: Builtins, @builtin(workgroup_id) workgroup_id: vec3<u32>) {
    let lane = lane_of(builtins);
    let place = place_of(lane.index, workgroup_id);
    // 1. The row's target and weight.
    let row_index = row_to_read(place);
    let truth = truth_of(lane, row_index);
    let weight = row_weight(row_index);
    // 2. Sums over the classes.
    let sums = row_sums(lane, place, truth, weight);
    let row = weighed(completed(lane, place, finish(truth, sums)), weight);
    write_side(place, truth, row, sums);
    // 3. The state a backward pass starts from, and the loss.
    if (place.row < params.n_rows && place.rank == 0u) {
        let state = state_of(row);
        for (var i = 0u; i < STATE_WIDTH; i++) {
            row_state[params.row_state + place.row * STATE_WIDTH + i] = select(state[i], 0u, is_zero(weight));
        }
    }
    write_value(lane, place, weighed_value(row, weight, row.value));
}
