//! The value of each class: 0 where p = 0, or PyTorch's NaN; infinite where only q is.

fn value(row: Row, e: Element) -> u32 {
    let c = class_of(row, e);
    let bits = bitcast<u32>(times(c.p, log_ratio(c.log_p, c.log_q)) * params.scale);
    let undefined = row.poisoned || (PYTORCH_CORNERS && is_zero_times_infinity(e));
    return select(select(bits, POS_INF, e.x == NEG_INF && c.p > 0f), NAN, undefined);
}

fn write_values4(place: Place, j: u32, left: u32, row: Row, e: array<Element, 4>) {
    let bits = vec4<u32>(value(row, e[0]), value(row, e[1]), value(row, e[2]), value(row, e[3]));
    store_values(class_at(params.values + row_start(place.row, params.values_stride), j), left, bits);
}
