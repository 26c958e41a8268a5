//! Logits, saved row state and g to one gradient per class.

@compute @workgroup_size(WORKGROUP_SIZE)
fn backward(builtins: Builtins, @builtin(workgroup_id) workgroup_id: vec3<u32>) {
    let lane = lane_of(builtins);
    let place = place_of(lane.index, workgroup_id);
    // 1. Both normalisers, as saved.
    let row_index = row_to_read(place);
    var state: State;
    for (var i = 0u; i < STATE_WIDTH; i++) {
        state[i] = row_state[params.row_state + row_index * STATE_WIDTH + i];
    }
    var row = row_from(truth_of(lane, row_index), state);
    // 2. The sum of g slope.
    row.slopes = row_slopes(lane, place, row);
    // 3. The gradient.
    before_overwriting();
    write_dlogits(place, row);
}
