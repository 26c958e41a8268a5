//! Logits to dlogits: an elementwise loss has no state to start from.

@compute @workgroup_size(WORKGROUP_SIZE)
fn backward(builtins: Builtins, @builtin(workgroup_id) workgroup_id: vec3<u32>) {
    let lane = lane_of(builtins);
    let place = place_of(lane.index, workgroup_id);
    for (var j = place.first; j < place.end; j += 4u * LANES) {
        let left = place.end - j;
        write_dlogits4(place, j, left, load4(place, j, left));
    }
}
