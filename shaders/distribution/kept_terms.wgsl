//! Where a lane has kept its tiles, the second read of a row is of registers.

fn completed(lane: Lane, place: Place, row: Row) -> Row {
    var block = TileTerms();
    block = with_kept(block, EACH_TILE, place, row);
    return with_terms(row, joined_terms(lane, with_block(Terms(0f, 0f), block)));
}

/// With the tile of the lane's classes from c, if the row has it.
fn with_kept(block: TileTerms, c: u32, place: Place, row: Row) -> TileTerms {
    if (place.first + c * LANES >= place.end) {
        return block;
    }
    return with_tile(block, row, kept[c / 4u]);
}
