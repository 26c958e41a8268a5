//! Side outputs tell of the label's softmax.

fn look_out_for(truth: Truth) {
    hard_look_out_for(truth.hard);
}
