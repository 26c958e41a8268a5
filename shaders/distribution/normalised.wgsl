//! A loss of normalised p and q, sum_c divergence(p_c, q_c): second_read.wgsl sums it, and the slopes with it.

const READS_LOG_P: bool = true;
const LOSS_FROM_GRADIENT_PASS: bool = false;

fn loss_term(row: Row, e: Element) -> f32 {
    return divergence(class_of(row, e));
}

fn with_terms(row: Row, terms: Terms) -> Row {
    var complete = row;
    complete.slopes = terms.slopes;
    complete.value = select(bitcast<u32>((terms.loss + row.z) * params.scale), NAN, row.poisoned);
    return complete;
}

fn value_of(row: Row, terms: f32) -> u32 {
    return row.value;
}
