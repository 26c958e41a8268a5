//! One read of a row tells all.

fn completed(lane: Lane, place: Place, row: Row) -> Row {
    return row;
}
