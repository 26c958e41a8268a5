//! Log-probabilities to row losses: one number a row, hence one lane.

@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(builtins: Builtins, @builtin(workgroup_id) workgroup_id: vec3<u32>) {
    let lane = lane_of(builtins);
    let place = place_of(lane.index, workgroup_id);
    let row = row_at(lane, place);
    write_value(lane, place, weighed_value(row, row.weight, row.value));
}
