//! Where a lane has kept its tiles, the second read of a row is of registers.

fn completed(lane: Lane, place: Place, row: Row) -> Row {
    if (KEPT_CLASSES == 0u) {
        return with_terms(row, row_terms(lane, place, row));
    }
    var block = with_kept(TileTerms(), 0u, place, row);
    if (KEPT_CLASSES > 4u) {
        block = with_kept(block, 4u, place, row);
    }
    if (KEPT_CLASSES > 8u) {
        block = with_kept(block, 8u, place, row);
    }
    if (KEPT_CLASSES > 12u) {
        block = with_kept(block, 12u, place, row);
    }
    return with_terms(row, joined_terms(lane, with_block(Terms(0f, 0f), block)));
}

/// With the tile of the lane's classes from c, if the row has it.
fn with_kept(block: TileTerms, c: u32, place: Place, row: Row) -> TileTerms {
    if (place.first + c * LANES >= place.end) {
        return block;
    }
    return with_tile(block, row, kept[c / 4u]);
}
