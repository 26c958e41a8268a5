//! A lane's way through its row: how the family's sums are gathered, whatever they are. Which partial sum a class
//! enters depends on its index and on C alone.

/// A lane's share of the row: tiles of four classes, LANES tiles side by side, in blocks of at most TILES_PER_BLOCK.
fn lane_sums(place: Place, row_end: u32, empty: Sums) -> Sums {
    var sums = empty;
    var j = place.first;
    while (j < row_end) {
        var block = array(empty, empty, empty, empty);
        let end = min(row_end, j + TILES_PER_BLOCK * 4u * LANES);
        for (; j < end; j += 4u * LANES) {
            let e = load4(place, j, row_end - j);
            block[0] = push(block[0], e[0]);
            block[1] = push(block[1], e[1]);
            block[2] = push(block[2], e[2]);
            block[3] = push(block[3], e[3]);
        }
        sums = merge_Sums(sums, merge_Sums(merge_Sums(block[0], block[1]), merge_Sums(block[2], block[3])));
    }
    return sums;
}
