//! [N, C]: rows one after the other, a row's classes side by side.

/// Where a row starts in a tensor whose rows are `stride` apart.
fn row_start(row: u32, stride: u32) -> u32 {
    return row * stride;
}

/// Where class j is in a row that starts here.
fn class_at(start: u32, j: u32) -> u32 {
    return start + j;
}
