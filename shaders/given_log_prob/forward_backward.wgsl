//! Log-probabilities to row losses and dlogits.

@compute @workgroup_size(WORKGROUP_SIZE)
fn forward_backward(builtins: Builtins, @builtin(workgroup_id) workgroup_id: vec3<u32>) {
    let lane = lane_of(builtins);
    let place = place_of(lane.index, workgroup_id);
    let row = row_at(lane, place);
    before_overwriting();
    write_dlogits(place, row);
    write_value(lane, place, weighed_value(row, row.weight, row.value));
}
