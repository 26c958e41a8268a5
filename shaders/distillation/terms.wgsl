//! The terms of the teacher's part over a window of classes.

fn row_terms(lane: Lane, place: Place, row: Row) -> Terms {
    return soft_row_terms(lane, beside_teacher(place), row.soft);
}
