use super::lanes::{BLOCK_OF_F64 as BLOCK, Task, total, vectorised, whole_vectors};
use super::rows::{PerRow, Reader, RowOut, Rows, Scratch};
use super::softmax::Softmax;
use crate::inputs::{Broadcast, Inputs, Numbers, Targets};
use crate::loss::{AnyElementwise, ElementwiseMaths};
use crate::validate::{Extent, Problem};

/// Losses with one term per element.
pub(super) struct Elementwise<'a> {
    problem: &'a Problem,
    per_row: PerRow<'a>,
    loss: &'a dyn AnyElementwise,
    targets: Option<Reader<'a>>,
    weights: Option<(&'a [f32], Broadcast)>,
    /// Upstream gradient, where each element has its own.
    dloss: Option<Reader<'a>>,
}

impl<'a> Elementwise<'a> {
    pub fn new(
        problem: &'a Problem,
        inputs: &Inputs<'a>,
        per_row: PerRow<'a>,
        loss: &'a dyn AnyElementwise,
    ) -> Elementwise<'a> {
        let shape = &problem.shape;
        let targets = match inputs.targets {
            Targets::Values(numbers) => Some(Reader { numbers, stride: shape.targets_stride }),
            _ => None,
        };
        let dloss = inputs.dloss.filter(|_| problem.extent() == Extent::Element);
        let dloss = dloss.map(|numbers| Reader { numbers, stride: shape.slab_len() });
        Elementwise { problem, per_row, loss, targets, weights: inputs.weights, dloss }
    }
}

impl Rows for Elementwise<'_> {
    #[inline(always)]
    fn row(&self, n: usize, x: &[f32], _found: Option<Softmax>, scratch: &mut Scratch, out: RowOut<'_>) {
        let Scratch { targets, weights, dloss, .. } = scratch;
        let (shape, upstream) = (&self.problem.shape, self.per_row.upstream(n));
        let weights = match self.weights {
            None => &[1.0],
            Some((weights, Broadcast::PerRow)) => &weights[n..=n],
            Some((weights, Broadcast::PerClass)) => weights,
            Some((each, Broadcast::PerElement)) => {
                Reader { numbers: Numbers::F32(each), stride: shape.slab_len() }.row(shape, n, weights)
            }
        };
        self.loss.run(Elements {
            x,
            y: self.targets.as_ref().map_or(&[0.0], |targets_of| targets_of.row(shape, n, targets)),
            weights,
            factors: self.problem.spec().class_factors(),
            values: out.values,
            gradient: &mut *out.dlogits,
            factor: if self.dloss.is_some() { 1.0 } else { upstream.factor().unwrap_or(1.0) },
        });
        match &self.dloss {
            Some(reader) => {
                let dloss = reader.row(shape, n, dloss);
                out.dlogits.iter_mut().zip(dloss).for_each(|(g, &dloss)| *g = upstream.times(dloss).apply((*g).into()));
            }
            None => upstream.finish(out.dlogits),
        }
    }
}

/// The elements of a row; of `y`, `weights` and `factors` one number for all, or one each.
pub(crate) struct Elements<'a> {
    x: &'a [f32],
    y: &'a [f32],
    weights: &'a [f32],
    factors: &'a [f32],
    /// One value per element, or their sum, or none.
    values: &'a mut [f32],
    /// Or none.
    gradient: &'a mut [f32],
    /// On the gradient.
    factor: f64,
}

impl Elements<'_> {
    pub fn run<M: ElementwiseMaths>(self, loss: &M) {
        vectorised(ElementsOf { loss, elements: self });
    }
}

struct ElementsOf<'a, M> {
    loss: &'a M,
    elements: Elements<'a>,
}

impl<M: ElementwiseMaths> Task for ElementsOf<'_, M> {
    #[inline(always)]
    fn run(self) {
        let Elements { x, y, weights, factors, values, gradient, factor } = self.elements;
        let (mut sum, mut first) = (0.0, 0);
        let sums = values.len() == 1;
        for x in x.chunks(BLOCK) {
            let mut block = Block::default();
            block.x.iter_mut().zip(x).for_each(|(to, &x)| *to = x.into());
            for (to, from) in [(&mut block.y, y), (&mut block.weights, weights), (&mut block.factors, factors)] {
                match from {
                    [all] => *to = [(*all).into(); BLOCK],
                    each => to.iter_mut().zip(&each[first..]).for_each(|(to, &from)| *to = from.into()),
                }
            }
            let [losses, slopes] = match (values.is_empty(), gradient.is_empty()) {
                (false, true) => block.weighed::<M, true, false>(self.loss, x.len()),
                (true, _) => block.weighed::<M, false, true>(self.loss, x.len()),
                (false, false) => block.weighed::<M, true, true>(self.loss, x.len()),
            };
            if sums {
                sum += total(&losses[..x.len()]);
            } else if !values.is_empty() {
                values[first..].iter_mut().zip(losses).take(x.len()).for_each(|(to, loss)| *to = loss as f32);
            }
            if !gradient.is_empty() {
                let slopes = slopes.map(|slope| (slope * factor) as f32);
                gradient[first..][..x.len()].copy_from_slice(&slopes[..x.len()]);
            }
            first += x.len();
        }
        if sums {
            values[0] = sum as f32;
        }
    }
}

struct Block {
    x: [f64; BLOCK],
    y: [f64; BLOCK],
    weights: [f64; BLOCK],
    factors: [f64; BLOCK],
}

impl Default for Block {
    fn default() -> Self {
        Block { x: [0.0; BLOCK], y: [0.0; BLOCK], weights: [0.0; BLOCK], factors: [0.0; BLOCK] }
    }
}

impl Block {
    /// Losses of `n` elements and their slopes, which have exponentials and logarithms in common; NaN where a number is
    /// none.
    #[inline(always)]
    fn weighed<M: ElementwiseMaths, const LOSSES: bool, const SLOPES: bool>(
        &self,
        loss: &M,
        n: usize,
    ) -> [[f64; BLOCK]; 2] {
        let (mut losses, mut slopes) = ([0.0; BLOCK], [0.0; BLOCK]);
        for i in 0..whole_vectors(n) {
            let (x, y, weight, factor) = (self.x[i], self.y[i], self.weights[i], self.factors[i]);
            let is_number = !x.is_nan() & !y.is_nan() & (weight.abs() < f64::INFINITY);
            let weighed = |number: f64| {
                let product = if weight == 0.0 { 0.0 } else { weight * number };
                if is_number { product } else { f64::NAN }
            };
            if LOSSES {
                losses[i] = weighed(loss.loss(x, y, factor));
            }
            if SLOPES {
                slopes[i] = weighed(loss.dloss_dx(x, y, factor));
            }
        }
        [losses, slopes]
    }
}
