//! What a row's loss comes to with its weight.

fn weighed_value(row: Row, weight: u32, value: Value) -> Value {
    return weighed_bits(row, weight, value);
}
