//! Labels: i32, u32 read as i32, or i64 in two words, which targets_stride tells apart.

/// The label of a row; one beyond i32 reads as the nearest i32, which no row of classes has room for either.
fn label_of(row: u32) -> i32 {
    let at = params.targets + row * params.targets_stride;
    let label = bitcast<i32>(targets[at]);
    if (params.targets_stride == 1u) {
        return label;
    }
    let upper = bitcast<i32>(targets[at + 1u]);
    return select((upper >> 31u) ^ 0x7fffffff, label, upper == label >> 31u);
}
