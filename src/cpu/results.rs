use super::per_class::PerClass;
use super::rows::{Reader, Rows, known};
use super::run::{Run, Slices};
use crate::SideOutputs;
use crate::inputs::Output;
use crate::reference::{self, Real};
use crate::validate::{Extent, Problem};

/// The results of a call as they are written row by row. A row's loss is f32 before it is summed, as on a device.
pub(super) struct Results<'a> {
    problem: &'a Problem,
    output: &'a mut Output,
    /// Words of side outputs.
    side: Vec<u32>,
}

impl<'a> Results<'a> {
    /// Room for every row's results in the memory an output has already.
    pub fn new(problem: &'a Problem, output: &'a mut Output) -> Self {
        let (shape, n_rows) = (&problem.shape, problem.shape.n_rows);
        let values_len = if problem.extent() == Extent::Element { shape.n_elements() } else { n_rows };
        room(&mut output.values, if problem.writes_values() { values_len } else { 0 });
        let has_parts = problem.writes_values() && problem.spec().distillation().is_some();
        output.parts = output.parts.take().or_else(|| Some(Vec::new())).filter(|_| has_parts);
        if let Some(parts) = &mut output.parts {
            parts.resize(n_rows, [0.0; 3]);
        }
        let optional = |tensor: &mut Option<Vec<f32>>, written: bool, len: usize, stride: usize| match written {
            true => {
                let tensor = tensor.get_or_insert_default();
                room(tensor, len);
                // Padding is 0.
                if stride > shape.slab_len() {
                    tensor.fill(0.0);
                }
            }
            false => *tensor = None,
        };
        optional(&mut output.dlogits, problem.writes_dlogits(), shape.dlogits_len(), shape.dlogits_stride);
        optional(&mut output.dtargets, problem.writes_dtargets(), shape.dtargets_len(), shape.dtargets_stride);
        optional(&mut output.row_state, problem.writes_state(), n_rows * problem.state_width(), 0);
        let side_width = if problem.writes_side() { problem.spec().rows().side.width() } else { 0 };
        Results { problem, output, side: vec![0; n_rows * side_width] }
    }

    /// Every row, by threads that take runs of slabs.
    pub fn compute(&mut self, rows: &impl Rows, logits: Reader<'_>) {
        let (problem, shape) = (self.problem, &self.problem.shape);
        let Output { values, parts, dlogits, dtargets, row_state, .. } = &mut *self.output;
        // A value by row is a row of one.
        let values = match problem.extent() {
            Extent::Element => PerClass::new(values, shape, shape.slab_len()),
            _ => PerClass::Rows { tensor: values, stride: 1 },
        };
        let out = Slices {
            values,
            dlogits: PerClass::new(dlogits.as_deref_mut().unwrap_or_default(), shape, shape.dlogits_stride),
            dtargets: PerClass::new(dtargets.as_deref_mut().unwrap_or_default(), shape, shape.dtargets_stride),
            parts: parts.as_mut().map_or(&mut [], |parts| parts.as_flattened_mut()),
            state: row_state.as_deref_mut().unwrap_or_default(),
            side: &mut self.side,
        };
        Run { problem, rows, logits, first: 0, n: shape.n_rows, out }.go();
    }

    /// From results by row to those of the batch.
    pub fn reduce(self) {
        let Results { problem, output, side } = self;
        let (divisor, kept) = (known(problem.divisor()).into(), known(problem.kept()).into());
        let mean = |sum: f64, divisor: Real| reference::mean(problem, sum.into(), divisor).value as f32;
        if problem.extent() == Extent::Scalar && problem.writes_values() {
            let sum = output.values.iter().copied().map(f64::from).sum();
            output.values.clear();
            output.values.push(mean(sum, divisor));
            if let Some(parts) = &mut output.parts {
                let divisors = reference::part_divisors(problem, divisor, kept);
                let sum = |i: usize| parts.iter().map(|part| f64::from(part[i])).sum();
                let means = [0, 1, 2].map(|i| mean(sum(i), divisors[i]));
                parts.clear();
                parts.push(means);
            }
        }
        output.side = problem.writes_side().then(|| {
            let (wanted, width) = (&problem.spec().rows().side, problem.spec().rows().side.width());
            let numbers = |c: usize| side.iter().skip(c).step_by(width).map(|&word| f64::from(f32::from_bits(word)));
            let means = || (0..width).map(|c| mean(numbers(c).sum(), kept).to_bits()).collect();
            SideOutputs::from_words(wanted, &if wanted.mean { means() } else { side })
        });
    }
}

/// Grows or shrinks to `len` numbers that will be overwritten.
fn room(numbers: &mut Vec<f32>, len: usize) {
    match numbers.capacity() < len {
        // The system's pages of zeros, which each thread touches first itself.
        true => *numbers = vec![0.0; len],
        false => numbers.resize(len, 0.0),
    }
}
