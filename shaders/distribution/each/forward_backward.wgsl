//! Logits and g to one value and one gradient per class.

@compute @workgroup_size(WORKGROUP_SIZE)
fn forward_backward(builtins: Builtins, @builtin(workgroup_id) workgroup_id: vec3<u32>) {
    let lane = lane_of(builtins);
    let place = place_of(lane.index, workgroup_id);
    // 1. Both normalisers.
    let truth = truth_of(lane, place.row);
    let normalised = finish(truth, row_sums(lane, place, truth, row_weight(place.row)));
    // 2. Values, and the sum of g slope.
    let row = completed(lane, place, normalised);
    // 3. The gradient.
    before_overwriting();
    write_dlogits(place, row);
}
