//! A lane's way through its row: how the family's sums are gathered, whatever they are. Which partial sum a class
//! enters depends on its index and on C alone.

/// A lane's share of the row: tiles of four classes, LANES tiles side by side, in blocks of at most TILES_PER_BLOCK.
/// A lane that has its row to itself leaves a loop at the end: left at the beginning, llvmpipe goes through the body once
/// more, all lanes masked. Lanes that leave one after the other do so at the beginning: it keeps no value of a lane that
/// left at the end.
fn lane_sums(place: Place, row_end: u32, empty: Sums) -> Sums {
    var sums = empty;
    var j = place.first;
    if (j >= row_end) {
        return sums;
    }
    loop {
        if (LANES > 1u && j >= row_end) {
            break;
        }
        var block = array(empty, empty, empty, empty);
        let end = min(row_end, j + TILES_PER_BLOCK * 4u * LANES);
        loop {
            if (LANES > 1u && j >= end) {
                break;
            }
            let e = load4(place, j, row_end - j);
            block[0] = push(block[0], e[0]);
            block[1] = push(block[1], e[1]);
            block[2] = push(block[2], e[2]);
            block[3] = push(block[3], e[3]);
            j += 4u * LANES;
            if (LANES == 1u && j >= end) {
                break;
            }
        }
        sums = merge_Sums(sums, merge_Sums(merge_Sums(block[0], block[1]), merge_Sums(block[2], block[3])));
        if (LANES == 1u && j >= row_end) {
            break;
        }
    }
    return sums;
}
