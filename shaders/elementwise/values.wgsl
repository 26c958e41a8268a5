//! One value per element.

fn write_values4(row: u32, j: u32, left: u32, value: vec4<u32>) {
    store_values(class_at(params.values + row_start(row, params.values_stride), j), left, value);
}

fn write_total(lane: Lane, place: Place, own: Total) {}
