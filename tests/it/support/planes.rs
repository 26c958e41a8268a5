use surprisal::{Broadcast, Shape};

use super::case::Case;
use super::stored::Memo;

/// Where class `c` of row `n` is in a tensor `[outer, C, inner]` whose slabs are `stride` apart.
fn place(shape: &Shape, stride: usize, n: usize, c: usize) -> usize {
    n / shape.inner * stride + c * shape.inner + n % shape.inner
}

/// Rows `[N, C]` to slabs, with NaN between them, so that whoever reads it is found out.
fn transposed(rows: &[f32], shape: &Shape, stride: usize) -> Vec<f32> {
    let len = (shape.outer() - 1) * stride + shape.n_classes * shape.inner;
    let mut slabs = vec![f32::NAN; len];
    for (i, &number) in rows.iter().enumerate() {
        slabs[place(shape, stride, i / shape.n_classes, i % shape.n_classes)] = number;
    }
    slabs
}

/// Slabs without padding to rows `[N, C]`.
pub fn in_rows<T: Copy>(slabs: &[T], shape: &Shape) -> Vec<T> {
    let (c, stride) = (shape.n_classes, shape.n_classes * shape.inner);
    (0..slabs.len()).map(|i| slabs[place(shape, stride, i / c, i % c)]).collect()
}

/// A case of contiguous rows as `[outer, C, inner]`, with so many elements of padding between slabs of logits (and of
/// the targets' gradient), targets and gradient.
pub fn in_planes(case: &Case, inner: usize, padding: [usize; 3]) -> Case {
    let slab = case.shape.n_classes * inner;
    let [logits, targets, dlogits] = padding.map(|padding| slab + padding);
    let mut shape = case.shape;
    shape.inner = inner;
    shape = shape.logits_stride(logits).targets_stride(targets).dlogits_stride(dlogits).dtargets_stride(logits);
    assert_eq!(shape.outer() * inner, shape.n_rows, "{}: whole slabs", case.name);
    let per_element = case.has_values_per_element();
    Case {
        name: format!("{} in planes of {inner}, padded by {padding:?}", case.name),
        logits: transposed(&case.logits, &shape, logits),
        values: case.values.as_ref().map(|values| transposed(values, &shape, targets)),
        weights: case.weights.as_ref().map(|(weights, broadcast)| match broadcast {
            Broadcast::PerElement => (transposed(weights, &shape, slab), *broadcast),
            _ => (weights.clone(), *broadcast),
        }),
        dloss: case.dloss.as_ref().map(|dloss| match per_element {
            true => transposed(dloss, &shape, slab),
            false => dloss.clone(),
        }),
        shape,
        stored: Memo::default(),
        ..case.clone()
    }
}
