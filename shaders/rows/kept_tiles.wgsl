//! The first pass over a row of which a lane has few tiles: they stay in registers for the second. A line that names
//! EACH_TILE stands for as many as the lane has tiles, with the first class of each among the lane's.

/// Classes in the tiles of a lane; those of the row where one lane has it all.
override KEPT_CLASSES: u32 = 4u;

/// Found by constants alone: an array with other indices is memory to most compilers.
var<private> kept: array<array<Element, 4>, 4>;

alias Block = array<Sums, 4>;

fn row_sums(lane: Lane, place: Place, truth: Truth, weight: u32) -> Sums {
    look_out_for(truth);
    let row_end = select(place.end, 0u, is_settled(truth) || is_zero(weight));
    var block = Block(EMPTY, EMPTY, EMPTY, EMPTY);
    block = keep(EACH_TILE, block, place, row_end);
    let own = merge_Sums(merge_Sums(block[0], block[1]), merge_Sums(block[2], block[3]));
    return reduce_Sums(lane, own, LANES);
}

/// The tile of the lane's classes from c, pushed and kept.
fn keep(c: u32, block: Block, place: Place, row_end: u32) -> Block {
    let j = place.first + c * LANES;
    if (j >= row_end) {
        return block;
    }
    let e = load4(place, j, kept_left(c, row_end - j));
    kept[c / 4u] = e;
    var pushed = block;
    pushed[0] = push(block[0], e[0]);
    if (KEPT_CLASSES > c + 1u) {
        pushed[1] = push(block[1], e[1]);
    }
    if (KEPT_CLASSES > c + 2u) {
        pushed[2] = push(block[2], e[2]);
    }
    if (KEPT_CLASSES > c + 3u) {
        pushed[3] = push(block[3], e[3]);
    }
    return pushed;
}

/// How many of the row's classes are left at the lane's class c: a constant where the lane has them all.
fn kept_left(c: u32, left: u32) -> u32 {
    return select(left, KEPT_CLASSES - c, LANES == 1u);
}
