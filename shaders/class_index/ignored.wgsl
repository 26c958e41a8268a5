//! Labels of rows that do not count; they follow the class factors.

fn is_ignored(label: i32) -> bool {
    var ignored = false;
    for (var i = 0u; i < params.n_ignored; i++) {
        ignored = ignored || label == bitcast<i32>(classes[params.ignored + i]);
    }
    return ignored;
}
