//! Logits, saved row state and g to one gradient per class.

@compute @workgroup_size(WORKGROUP_SIZE)
fn backward(builtins: Builtins, @builtin(workgroup_id) workgroup_id: vec3<u32>) {
    let lane = lane_of(builtins);
    let place = place_of(lane.index, workgroup_id);
    // 1. (m, D) as saved; with m final from the start, the pass over the row adds up g alone.
    let at = params.row_state + min(place.row, params.n_rows - 1u) * 2u;
    let softmax = Softmax(bitcast<f32>(row_state[at]), bitcast<f32>(row_state[at + 1u]));
    let sums = reduce_Sums(lane, lane_sums(place, place.end, Sums(softmax, 0f, 0u)), LANES);
    let row = row_of(softmax, sums.g, is_nan(row_state[at]));
    // 2. Gradients.
    for (var j = place.first; j < place.end; j += 4u * LANES) {
        let left = place.end - j;
        let dx = dlogits4(row, load4(place, j, left));
        store_dlogits(class_at(place.dlogits, j), left, dx);
    }
}
