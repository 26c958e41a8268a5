//! Counts rows that have no value whatever their logits: the label is out of range, or the weight is no number. Added
//! to what the counter holds; whole numbers, so in any order.

override TERMS_PER_LANE: u32 = 256u;

fn is_error(row: u32) -> bool {
    let label = label_of(row);
    if (is_ignored(label)) {
        return false;
    }
    let weight = row_weights[params.row_weights + row * params.row_weights_stride];
    if ((weight << 1u) == 0u) {
        return false;
    }
    return label < 0 || u32(label) >= params.n_classes || (weight << 1u) >= 0xff000000u;
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn count(builtins: Builtins, @builtin(workgroup_id) workgroup_id: vec3<u32>) {
    let lane = lane_of(builtins);
    let group = workgroup_id.x + workgroup_id.y * params.grid_width;
    let end = min(params.n_rows, (group + 1u) * WORKGROUP_SIZE * TERMS_PER_LANE);
    var n = 0u;
    for (var i = group * WORKGROUP_SIZE * TERMS_PER_LANE + lane.index; i < end; i += WORKGROUP_SIZE) {
        n += select(0u, 1u, is_error(i));
    }
    if (n > 0u) {
        atomicAdd(&errors[params.values], n);
    }
}
