//! Logits and g to one value and one gradient per class.

@compute @workgroup_size(WORKGROUP_SIZE)
fn forward_backward(builtins: Builtins, @builtin(workgroup_id) workgroup_id: vec3<u32>) {
    let lane = lane_of(builtins);
    let place = place_of(lane.index, workgroup_id);
    // 1. (m, D) of the row and the sum of g.
    let sums = row_sums(lane, place, truth_of(lane, place.row), row_weight(place.row));
    let row = row_of(sums.softmax, sums.g, sums.bad != 0u);
    // 2. Values and gradients.
    for (var j = place.first; j < place.end; j += 4u * LANES) {
        let left = place.end - j;
        let e = load4(place, j, left);
        store_values(class_at(params.values + row_start(place.row, params.values_stride), j), left, values4(row, e));
        store_dlogits(class_at(place.dlogits, j), left, dlogits4(row, e));
    }
}
