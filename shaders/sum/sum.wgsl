//! Sum of n_rows terms a column, in a fixed order: one per workgroup, or divided into the final value.

/// At most 4 x 64: four chains of 64 terms.
override TERMS_PER_LANE: u32 = 256u;

@compute @workgroup_size(WORKGROUP_SIZE)
fn sum(builtins: Builtins, @builtin(workgroup_id) workgroup_id: vec3<u32>) {
    let lane = lane_of(builtins);
    let group = workgroup_id.x + workgroup_id.y * params.grid_width;
    let column = workgroup_id.z;
    // 1. The lane's terms, WORKGROUP_SIZE apart.
    var chains = array(NOTHING, NOTHING, NOTHING, NOTHING);
    let first = group * WORKGROUP_SIZE * TERMS_PER_LANE + lane.index;
    let end = min(params.n_rows, (group + 1u) * WORKGROUP_SIZE * TERMS_PER_LANE);
    for (var i = first; i < end; i += 4u * WORKGROUP_SIZE) {
        chains[0] = merge_Total(chains[0], term(i, end, column));
        chains[1] = merge_Total(chains[1], term(i + WORKGROUP_SIZE, end, column));
        chains[2] = merge_Total(chains[2], term(i + 2u * WORKGROUP_SIZE, end, column));
        chains[3] = merge_Total(chains[3], term(i + 3u * WORKGROUP_SIZE, end, column));
    }
    let own = merge_Total(merge_Total(chains[0], chains[1]), merge_Total(chains[2], chains[3]));
    // 2. The workgroup's.
    let total = reduce_Total(lane, own, WORKGROUP_SIZE);
    // A grid of two dimensions may have workgroups to spare.
    if (lane.index == 0u && (group == 0u || group * WORKGROUP_SIZE * TERMS_PER_LANE < params.n_rows)) {
        values[params.values + column * params.values_stride + group] = closing(total);
    }
}
