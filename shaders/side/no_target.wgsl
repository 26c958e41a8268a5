//! Side outputs where no class is a row's target: none that tells of one is wanted.

fn look_out_for(truth: Truth) {}

fn is_above_target(bits: u32) -> bool {
    return false;
}

fn softmax_of(row: Row) -> Softmax {
    return row.student;
}

fn log_prob_of_target(truth: Truth, row: Row) -> u32 {
    return NAN;
}

fn prob_of_target(row: Row) -> u32 {
    return NAN;
}
