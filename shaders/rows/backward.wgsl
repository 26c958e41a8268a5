//! Logits and saved row state to dlogits.

@compute @workgroup_size(WORKGROUP_SIZE)
fn backward(builtins: Builtins, @builtin(workgroup_id) workgroup_id: vec3<u32>) {
    let lane = lane_of(builtins);
    let place = place_of(lane.index, workgroup_id);
    // 1. The row's target, weight and saved state.
    let row_index = row_to_read(place);
    let weight = row_weight(row_index);
    let row = weighed(known_row(lane, row_index), weight);
    // 2. The gradient.
    before_overwriting();
    _ = write_dlogits(place, row, weight);
}
