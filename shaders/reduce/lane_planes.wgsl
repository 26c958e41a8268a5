//! A lane counts itself so that neighbours in the workgroup stand on neighbouring rows, whose elements lie side by
//! side.

struct Builtins {
    @builtin(local_invocation_index) index: u32,
}

struct Lane {
    index: u32,
}

fn lane_of(builtins: Builtins) -> Lane {
    let rows = WORKGROUP_SIZE / LANES;
    return Lane(builtins.index % rows * LANES + builtins.index / rows);
}
