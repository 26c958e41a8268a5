//! A second read of a row, once its normalisers are known.

fn completed(lane: Lane, place: Place, row: Row) -> Row {
    return with_terms(row, row_terms(lane, place, row));
}
