//! Rows of a table in a given order: to[row] = rows[order[row]]. Copies words, so it does for pixels and labels alike.

struct Table { n_rows: u32, width: u32 }

@group(0) @binding(0) var<uniform> table: Table;
@group(0) @binding(1) var<storage, read> order: array<u32>;        // [n_rows]
@group(0) @binding(2) var<storage, read> rows: array<u32>;         // [_, width]
@group(0) @binding(3) var<storage, read_write> to: array<u32>;     // [n_rows, width]

@compute @workgroup_size(64)
fn gather(@builtin(global_invocation_id) id: vec3<u32>) {
    let row = id.x / table.width;
    if row < table.n_rows {
        to[id.x] = rows[order[row] * table.width + id.x % table.width];
    }
}
