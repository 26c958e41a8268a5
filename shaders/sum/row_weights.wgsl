//! The terms are the rows' shares of a divisor, where no label says which of them count.

fn term(i: u32, end: u32, column: u32) -> Total {
    if (i >= end) {
        return NOTHING;
    }
    return Total(row_share(i), 0u);
}

fn closing(total: Total) -> u32 {
    return bits_of(total);
}
