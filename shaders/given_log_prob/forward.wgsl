//! Log-probabilities to row losses: one number a row, hence one lane.

@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(builtins: Builtins, @builtin(workgroup_id) workgroup_id: vec3<u32>) {
    let lane = lane_of(builtins);
    let place = place_of(lane.index, workgroup_id);
    let row_index = min(place.row, params.n_rows - 1u);
    let weight = row_weight(row_index);
    let row = weighed(row_of(truth_of(row_index)), weight);
    write_value(lane, place, weighed_value(row, weight, row.value));
}
