//! One read of a row tells all.

fn read_row(lane: Lane, place: Place, truth: Truth) -> Row {
    return finish(truth, row_sums(lane, place, truth));
}
