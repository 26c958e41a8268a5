//! The gradient that comes from upstream to an element.

const NO_UPSTREAM: u32 = 0u;
const PER_ELEMENT: u32 = 2u;
/// Whether a gradient comes from upstream: none, one for a row's elements or the whole batch's, or one for each.
override UPSTREAM: u32 = PER_ELEMENT;

/// The upstream gradient of element j of a row: a scalar, one per row or one per element by its strides; 1 if none.
fn element_upstream(row: u32, j: u32) -> f32 {
    if (UPSTREAM == NO_UPSTREAM) {
        return 1f;
    }
    let start = params.dloss + row_start(row, params.dloss_row_stride);
    return bitcast<f32>(dloss_bits(start + j * params.dloss_class_stride));
}
