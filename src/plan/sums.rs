//! Adding up partial results, and dividing the sum.

use super::{Builder, Divide, Divisors, Partials, Region, Source, Step, TERMS_PER_LANE, WORD};
use crate::kernel::{Constants, Program, Slot};
use crate::params::Params;

impl Builder<'_> {
    /// Sums until one workgroup can take the rest, then divides into a word of the caller's.
    pub(super) fn sum_to(&mut self, mut partials: Partials, divisor: Divide, (slot, at): (Slot, u64)) {
        while partials.len > self.terms_per_group() {
            partials = self.sum_once(partials, None);
        }
        let kernel = self.kernel(Program::SumValues);
        let constants = Constants { last_sum: true, ..self.constants(1) };
        let (terms, terms_base) = match partials.len {
            0 => (self.constant(Slot::Terms), 0),
            len => self.terms(partials, 0, len),
        };
        let (values, values_base) = self.region(Source::Caller(slot), at, 1);
        let mut params = Params {
            n_rows: partials.len as u32,
            grid_width: 1,
            logits: terms_base,
            logits_stride: partials.stride as u32,
            values: values_base,
            ..self.params()
        };
        let divisor = self.divisor(&mut params, Divisors { sum: divisor, kept: divisor });
        let regions = vec![(Slot::Divisor, divisor), (Slot::Values, values), (Slot::Terms, terms)];
        self.schedule.steps.push(Step { kernel, constants, params, regions, grid: (1, 1) });
    }

    /// The loss of the batch; of a sum of losses also its parts, of which class weights touch the first alone.
    pub(super) fn sum_values(&mut self, sums: Partials, divisors: Divisors) {
        let each = [divisors.sum, divisors.sum, divisors.kept, divisors.kept];
        for (at, &divisor) in each[..self.problem.spec().family().values_per_loss()].iter().enumerate() {
            let at = at as u64;
            self.sum_to(Partials { first: sums.first + at, ..sums }, divisor, (Slot::Values, at));
        }
    }

    /// The mean of each side output.
    pub(super) fn sum_side(&mut self, kept: Divide) {
        let (len, stride) = (self.problem.shape.n_rows as u64, self.problem.spec().rows().side.width() as u64);
        for column in 0..stride {
            let column_of = Partials { source: self.side, first: column, len, stride };
            self.sum_to(column_of, kept, (Slot::Side, column));
        }
    }

    fn terms_per_group(&self) -> u64 {
        u64::from(TERMS_PER_LANE * self.caps.workgroup_size)
    }

    /// Terms `first..first + len` of an array.
    fn terms(&self, partials: Partials, first: u64, len: u64) -> (Region, u32) {
        let Partials { source, stride, .. } = partials;
        self.region(source, partials.first + first * stride, (len - 1) * stride + 1)
    }

    /// One partial sum per workgroup.
    pub(super) fn sum_once(&mut self, partials: Partials, to: Option<(Source, u64)>) -> Partials {
        let per_group = self.terms_per_group();
        let sums = self.partials(partials.len.div_ceil(per_group), to);
        let kernel = self.kernel(Program::SumValues);
        for (first, n_terms) in self.windows(partials.len, partials.stride * WORD, per_group) {
            let groups = n_terms.div_ceil(per_group);
            let (terms, terms_base) = self.terms(partials, first, n_terms);
            let (values, values_base) = self.region(sums.source, sums.first + first / per_group, groups);
            let grid = self.grid(groups);
            let params = Params {
                n_rows: n_terms as u32,
                grid_width: grid.0,
                logits: terms_base,
                logits_stride: partials.stride as u32,
                values: values_base,
                ..self.params()
            };
            let regions =
                vec![(Slot::Divisor, self.constant(Slot::Divisor)), (Slot::Values, values), (Slot::Terms, terms)];
            let constants = self.constants(1);
            self.schedule.steps.push(Step { kernel, constants, params, regions, grid });
        }
        sums
    }
}
