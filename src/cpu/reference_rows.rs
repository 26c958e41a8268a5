use super::rows::{RowOut, Rows, Scratch};
use super::softmax::Softmax;
use crate::reference::{Batch, Real, side_words};

/// The rows of the f64 reference, for losses without loops of their own here.
impl Rows for Batch<'_> {
    fn row(&self, n: usize, _x: &[f32], _found: Option<Softmax>, _scratch: &mut Scratch, out: RowOut<'_>) {
        let row = Batch::row(self, n);
        let copy = |reals: &[Real], out: &mut [f32]| {
            out.iter_mut().zip(reals).for_each(|(place, real)| *place = real.value as f32);
        };
        match out.values {
            [value] => *value = Real::sum(row.values).value as f32,
            values => copy(&row.values, values),
        }
        copy(&row.parts, out.parts);
        copy(&row.gradient, out.dlogits);
        copy(&row.teacher_gradient, out.dtargets);
        copy(&row.state, out.state);
        if !out.side.is_empty() {
            out.side.copy_from_slice(&side_words(&self.side(), &row.side));
        }
    }
}
