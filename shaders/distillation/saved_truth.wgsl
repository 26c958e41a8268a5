//! The row's label as the forward pass left it in the row state, beside its teacher: with the ids that one may name its
//! classes by, labels of their own would be the ninth buffer.

fn truth_of(lane: Lane, row: u32) -> Truth {
    let at = params.row_state + row * STATE_WIDTH + LABEL_STATE;
    let class_from_1 = row_state[at];
    let label = hard_Truth(max(class_from_1, 1u) - 1u, row_state[at + 1u], class_from_1 == 0u, false);
    return Truth(label, soft_truth_of(lane, row));
}
