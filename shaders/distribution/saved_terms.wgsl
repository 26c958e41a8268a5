//! The terms over a row's classes, as its windows of classes left them.

fn completed(lane: Lane, place: Place, row: Row) -> Row {
    return with_terms(row, saved_terms[row_to_read(place)]);
}
