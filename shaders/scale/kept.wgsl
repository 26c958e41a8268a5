//! What brings a term that no class weight touches to the divisor of the others.

/// The divisor over the number of kept rows: 1 where they are the same.
fn divisor_over_kept() -> f32 {
    if (params.n_kept == 0u) {
        return 1f;
    }
    return divisor_value() / sum_of_parts(params.kept, params.n_kept);
}
