//! The gradient that comes from upstream.

/// The upstream gradient of element j of a row: a scalar, one per row or one per element by its strides.
fn upstream(row: u32, j: u32) -> f32 {
    let start = params.dloss + row_start(row, params.dloss_row_stride);
    return bitcast<f32>(dloss_bits(start + j * params.dloss_class_stride));
}
