//! Logits to row losses and dlogits.

@compute @workgroup_size(WORKGROUP_SIZE)
fn forward_backward(builtins: Builtins, @builtin(workgroup_id) workgroup_id: vec3<u32>) {
    let lane = lane_of(builtins);
    let place = place_of(lane.index, workgroup_id);
    // 1. The row's target and weight.
    let row_index = row_to_read(place);
    let truth = truth_of(lane, row_index);
    let weight = row_weight(row_index);
    // 2. Sums over the classes.
    let sums = row_sums(lane, place, truth, weight);
    let row = weighed(completed(lane, place, finish(truth, sums)), weight);
    write_side(place, truth, row, sums);
    // 3. The gradient, a second pass while the row is still in cache.
    before_overwriting();
    var terms = write_dlogits(place, row, weight);
    // 4. The loss.
    if (LOSS_FROM_GRADIENT_PASS) {
        terms = reduce_Total(lane, Total(terms, 0u), LANES).sum;
    }
    write_value(lane, place, weighed_value(row, weight, value_of(row, terms)));
}
