//! Logits to values.

@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(builtins: Builtins, @builtin(workgroup_id) workgroup_id: vec3<u32>) {
    let lane = lane_of(builtins);
    let place = place_of(lane.index, workgroup_id);
    write_total(lane, place, lane_total(place));
}
