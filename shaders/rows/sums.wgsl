//! The first pass over a row: what its family sums over the classes.

fn row_sums(lane: Lane, place: Place, truth: Truth, weight: u32) -> Sums {
    look_out_for(truth);
    let row_end = select(place.end, 0u, is_settled(truth) || is_zero(weight));
    return reduce_Sums(lane, lane_sums(place, row_end, EMPTY), LANES);
}
