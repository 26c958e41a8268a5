//! Labels and their logits as gather.wgsl left them, two words a row.

fn label_of(row: u32) -> i32 {
    return bitcast<i32>(truths[params.truths + 2u * row]);
}

fn logit_of_target(row: u32, t: u32) -> u32 {
    return truths[params.truths + 2u * row + 1u];
}
