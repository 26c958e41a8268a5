//! The row's label, and what there is to know of its teacher before its classes are read.

fn truth_of(lane: Lane, row: u32) -> Truth {
    return Truth(hard_truth_of(lane, row), soft_truth_of(lane, row));
}
