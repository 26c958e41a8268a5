//! What a gradient is multiplied by.

/// 1/divisor as a factor on gradients; nothing flows through a mean over nothing.
fn inverse_divisor() -> f32 {
    let d = divisor_value();
    return select(1f / d, 0f, d == 0f);
}

/// Whether every gradient that counts is without a value: PyTorch divides by 0.
fn divides_by_nothing() -> bool {
    return PYTORCH_CORNERS && divisor_value() == 0f;
}

/// The upstream gradient of element j of a row: a scalar, one per row or one per element by its strides.
fn upstream(row: u32, j: u32) -> f32 {
    let start = params.dloss + row_start(row, params.dloss_row_stride);
    return bitcast<f32>(dloss_bits(start + j * params.dloss_class_stride));
}
