//! The target's logit, from the row itself.

fn logit_of_target(row: u32, t: u32) -> u32 {
    return logits_bits(class_at(params.logits + row_start(row, params.logits_stride), t));
}
