//! A lane knows its place in its subgroup, and counts itself so that neighbours in a subgroup are neighbours in a row.

/// What the device says of its subgroups; where there are several sizes, the kernel asks which one it got.
override SUBGROUP_MIN: u32 = 4u;
override SUBGROUP_MAX: u32 = 128u;

struct Builtins {
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_size) subgroup_size: u32,
    @builtin(subgroup_invocation_id) index: u32,
}

struct Lane {
    index: u32,
    subgroup_size: u32,
}

fn lane_of(builtins: Builtins) -> Lane {
    // A compiler that knows the size unrolls what depends on it.
    let size = select(builtins.subgroup_size, SUBGROUP_MIN, SUBGROUP_MIN == SUBGROUP_MAX);
    return Lane(builtins.subgroup * size + builtins.index, size);
}
