//! What a row's weight makes of its share in a divisor.

/// params.row_count: every row counts as one, every row whose weight is not 0, or each as much as it weighs.
const EVERY_ROW: u32 = 0u;
const NON_ZERO: u32 = 1u;
const BY_WEIGHT: u32 = 2u;

/// A weight that is no number counts nothing: its row has no value.
fn row_share(i: u32) -> f32 {
    let bits = row_weights[params.row_weights + i * params.row_weights_stride];
    let weight = select(bitcast<f32>(bits), 0f, (bits << 1u) >= 0xff000000u);
    var share = 1f;
    if (params.row_count == NON_ZERO) {
        share = select(1f, 0f, weight == 0f);
    }
    if (params.row_count == BY_WEIGHT) {
        share = weight;
    }
    return share * params.row_size;
}
