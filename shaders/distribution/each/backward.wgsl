//! Logits, saved row state and g to one gradient per class.

@compute @workgroup_size(WORKGROUP_SIZE)
fn backward(builtins: Builtins, @builtin(workgroup_id) workgroup_id: vec3<u32>) {
    let lane = lane_of(builtins);
    let place = place_of(lane.index, workgroup_id);
    // 1. Both normalisers, as saved, and the sum of g slope.
    let row = completed(lane, place, known_row(lane, row_to_read(place)));
    // 2. The gradient.
    before_overwriting();
    write_dlogits(place, row);
}
