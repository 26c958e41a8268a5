use super::lanes::{Task, sum, vectorised};
use super::rows::{PerRow, Reader, RowOut, Rows, Scratch};
use super::softmax::{LogitMap, Softmax};
use crate::inputs::Inputs;
use crate::loss::{AnySoftmax, SoftmaxMaths};
use crate::validate::Problem;

/// Softmaxes with one value per class.
pub(super) struct SoftmaxValues<'a> {
    problem: &'a Problem,
    per_row: PerRow<'a>,
    output: &'a dyn AnySoftmax,
    map: LogitMap,
    dloss: Option<Reader<'a>>,
}

impl<'a> SoftmaxValues<'a> {
    pub fn new(problem: &'a Problem, inputs: &Inputs<'a>, per_row: PerRow<'a>, output: &'a dyn AnySoftmax) -> Self {
        let stride = problem.shape.slab_len();
        let dloss = inputs.dloss.map(|numbers| Reader { numbers, stride });
        SoftmaxValues { problem, per_row, output, map: LogitMap::of(problem), dloss }
    }
}

impl Rows for SoftmaxValues<'_> {
    #[inline(always)]
    fn row(&self, n: usize, x: &[f32], _found: Option<Softmax>, scratch: &mut Scratch, out: RowOut<'_>) {
        let Scratch { capped, exponentials: e, dloss, .. } = scratch;
        e.resize(x.len(), 0.0);
        let Some((_, softmax)) = self.map.softmax(x, None, self.per_row.saved(n), capped, e) else {
            return out.poison(&self.problem.spec().rows().side);
        };
        if let [m, excess] = out.state {
            (*m, *excess) = (softmax.m_logit, softmax.excess as f32);
        }
        let g = self.dloss.as_ref().map_or(&[][..], |reader| reader.row(&self.problem.shape, n, dloss));
        self.output.run(SoftmaxRow { x, e, g, softmax, values: out.values, gradient: out.dlogits });
    }
}

/// A row's softmax, where the values and the gradient of each class go, and what comes from upstream.
pub(crate) struct SoftmaxRow<'a> {
    x: &'a [f32],
    /// `exp((x_c - m)/T)`
    e: &'a [f32],
    g: &'a [f32],
    softmax: Softmax,
    values: &'a mut [f32],
    gradient: &'a mut [f32],
}

impl SoftmaxRow<'_> {
    pub fn run<M: SoftmaxMaths>(self, output: &M) {
        vectorised(SoftmaxRowOf { output, row: self });
    }
}

struct SoftmaxRowOf<'a, M> {
    output: &'a M,
    row: SoftmaxRow<'a>,
}

impl<M: SoftmaxMaths> Task for SoftmaxRowOf<'_, M> {
    #[inline(always)]
    fn run(self) {
        let SoftmaxRow { x, e, g, softmax, values, gradient } = self.row;
        let (inv_sum, m, inv_t) = (softmax.inv_sum, f64::from(softmax.m), f64::from(softmax.inv_t));
        for ((value, &x), &e) in values.iter_mut().zip(x).zip(e) {
            let log_p = (f64::from(x) - m) * inv_t - softmax.log_sum;
            *value = self.output.value(log_p, f64::from(e) * inv_sum) as f32;
        }
        if !gradient.is_empty() {
            let sum_g = sum([g], [0.0], |[g]| g);
            let sum_gp = sum([g, e], [0.0; 2], |[g, e]| g * e) * inv_sum;
            for ((to, &g), &e) in gradient.iter_mut().zip(g).zip(e) {
                *to = self.output.dlogit(f64::from(e) * inv_sum, g.into(), sum_g, sum_gp) as f32;
            }
        }
    }
}
