//! [outer, C, inner]: row o inner + i is position i of slab o, its classes `inner` apart.

/// Where a row starts in a tensor whose slabs are `stride` apart; one with stride 0 is the same for every row.
fn row_start(row: u32, stride: u32) -> u32 {
    return row / params.inner * stride + select(row % params.inner, 0u, stride == 0u);
}

/// Where class j is in a row that starts here.
fn class_at(start: u32, j: u32) -> u32 {
    return start + j * params.inner;
}
