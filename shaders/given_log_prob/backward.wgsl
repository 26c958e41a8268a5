//! Labels to dlogits: no state to start from.

@compute @workgroup_size(WORKGROUP_SIZE)
fn backward(builtins: Builtins, @builtin(workgroup_id) workgroup_id: vec3<u32>) {
    let lane = lane_of(builtins);
    let place = place_of(lane.index, workgroup_id);
    let row = row_at(lane, place);
    before_overwriting();
    write_dlogits(place, row);
}
