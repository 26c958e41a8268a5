//! Labels and a window of classes to each label and its logit, two words a row: those whose class is in the window.

fn is_in_window(t: u32) -> bool {
    return t >= params.first_class && t < params.end_class;
}

fn logit_of_target(row: u32, t: u32) -> u32 {
    if (!is_in_window(t)) {
        return 0u;
    }
    return logits_bits(class_at(params.logits + row_start(row, params.logits_stride), t));
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn gather(builtins: Builtins, @builtin(workgroup_id) workgroup_id: vec3<u32>) {
    let lane = lane_of(builtins);
    let place = place_of(lane.index, workgroup_id);
    if (place.row >= params.n_rows) {
        return;
    }
    let truth = truth_of(lane, place.row);
    if (is_in_window(truth.t)) {
        let at = params.truths + 2u * place.row;
        truths[at] = bitcast<u32>(label_of(place.row));
        truths[at + 1u] = truth.x_t;
    }
}
