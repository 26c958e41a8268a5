//! A row as its saved state has it.

fn known_row(lane: Lane, row: u32) -> Row {
    var state: State;
    for (var i = 0u; i < STATE_WIDTH; i++) {
        state[i] = row_state[params.row_state + row * STATE_WIDTH + i];
    }
    return row_from(truth_of(lane, row), state);
}
