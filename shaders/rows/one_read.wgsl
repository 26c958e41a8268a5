//! One read of a row tells all.

fn read_row(lane: Lane, place: Place, truth: Truth, weight: u32) -> Row {
    let sums = row_sums(lane, place, truth, weight);
    let row = weighed(finish(truth, sums), weight);
    write_side(place, truth, row, sums);
    return row;
}
