//! A lane knows its place in the workgroup.

struct Builtins {
    @builtin(local_invocation_index) index: u32,
}

struct Lane {
    index: u32,
}

fn lane_of(builtins: Builtins) -> Lane {
    return Lane(builtins.index);
}
