//! No class has a factor.

fn element_factor(j: u32) -> f32 {
    return 1f;
}
