//! (m, D) as saved; with m final from the start, the pass over the row adds up g alone.

fn row_sums(lane: Lane, place: Place, truth: Truth, weight: u32) -> Sums {
    let at = params.row_state + row_to_read(place) * 2u;
    let softmax = Softmax(bitcast<f32>(row_state[at]), bitcast<f32>(row_state[at + 1u]));
    let sums = reduce_Sums(lane, lane_sums(place, place.end, Sums(softmax, 0f, 0u)), LANES);
    return Sums(softmax, sums.g, select(0u, 1u, is_nan(row_state[at])));
}
