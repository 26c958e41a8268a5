//! What a sum and its parts come to with the row's weight.

fn weighed_value(row: Row, weight: u32, value: Value) -> Value {
    return Value(
        weighed_bits(row, weight, value.total),
        weighed_bits(row, weight, value.hard),
        weighed_bits(row, weight, value.soft),
        weighed_bits(row, weight, value.z),
    );
}
