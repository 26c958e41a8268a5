//! Factors per class: class weights, alpha or pos_weight. One factor for all classes has stride 0.

/// The factor of a row's class.
fn class_factor(j: u32) -> f32 {
    return bitcast<f32>(classes[params.classes + min(j, params.n_classes - 1u) * params.classes_stride]);
}

/// The factor of any class of a row.
fn element_factor(j: u32) -> f32 {
    if (!CLASS_FACTORS) {
        return 1f;
    }
    return class_factor(j);
}
