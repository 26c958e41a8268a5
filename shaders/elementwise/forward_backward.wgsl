//! Logits to values and dlogits, in one pass.

@compute @workgroup_size(WORKGROUP_SIZE)
fn forward_backward(builtins: Builtins, @builtin(workgroup_id) workgroup_id: vec3<u32>) {
    let lane = lane_of(builtins);
    let place = place_of(lane.index, workgroup_id);
    write_total(lane, place, lane_total(place));
}
