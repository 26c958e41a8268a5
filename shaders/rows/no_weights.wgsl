//! Rows without weights.

fn row_weight(row: u32) -> u32 {
    return bitcast<u32>(1f);
}

fn is_zero(weight: u32) -> bool {
    return false;
}

fn weighed(row: Row, weight: u32) -> Row {
    return row;
}
