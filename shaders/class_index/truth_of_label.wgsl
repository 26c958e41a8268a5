//! The target of a row from its label. Rows whose label is ignored are exactly 0, whatever their logits; a label out of
//! range poisons its row.

fn truth_of(lane: Lane, row: u32) -> Truth {
    let label = label_of(row);
    let ignored = is_ignored(label);
    let poisoned = !ignored && (label < 0 || u32(label) >= params.n_classes);
    let t = select(u32(label), 0u, ignored || poisoned);
    return Truth(t, logit_of_target(row, t), ignored, poisoned);
}
