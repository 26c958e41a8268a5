//! The terms are the rows' shares of a divisor: the class weight of a label, nothing where it is ignored or out of
//! range.

fn term(i: u32, end: u32, column: u32) -> Total {
    if (i >= end) {
        return NOTHING;
    }
    let label = label_of(i);
    if (is_ignored(label) || label < 0 || u32(label) >= params.n_classes) {
        return NOTHING;
    }
    let factor = select(1f, class_factor(u32(label)), params.weighs_classes == 1u);
    return Total(factor * row_share(i), 0u);
}

fn closing(total: Total) -> u32 {
    return bits_of(total);
}
