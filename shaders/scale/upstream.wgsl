//! The gradient that comes from upstream to a row: its own, or that of the whole batch; 1 where there is none.

fn upstream(row: u32) -> f32 {
    return bitcast<f32>(dloss_bits(params.dloss + row_start(row, params.dloss_row_stride)));
}
