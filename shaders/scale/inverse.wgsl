//! What a divisor is to gradients.

/// 1/divisor as a factor on gradients; nothing flows through a mean over nothing.
fn inverse_divisor() -> f32 {
    let d = divisor_value();
    return select(1f / d, 0f, d == 0f);
}

/// Whether every gradient that counts is without a value: PyTorch divides by 0.
fn divides_by_nothing() -> bool {
    return PYTORCH_CORNERS && divisor_value() == 0f;
}
