//! Adding up partial results, and dividing the sums.

use super::{Builder, Divide, Divisors, Partials, Region, Source, Step, TERMS_PER_LANE, WORD};
use crate::kernel::{Program, Slot};
use crate::params::Params;
use crate::{Corners, EmptyMean, Policy};

/// Partial results in columns, each with a sum of its own: a column starts `apart` words after the one before.
#[derive(Clone, Copy)]
pub(super) struct Columns {
    pub first: Partials,
    count: u64,
    apart: u64,
}

impl Columns {
    pub fn one(first: Partials) -> Columns {
        Columns { first, count: 1, apart: 0 }
    }

    /// Columns `at..at + count` of a table whose rows are `first.stride` words.
    fn of_table(first: Partials, at: u64, count: u64) -> Columns {
        Columns { first: Partials { first: first.first + at, ..first }, count, apart: 1 }
    }

    /// Words from the first of some terms of the first column to the last of the last one's.
    fn span(&self, n_terms: u64) -> u64 {
        (n_terms - 1) * self.first.stride + (self.count - 1) * self.apart + 1
    }
}

impl Builder<'_> {
    /// The loss of the batch; of a sum of losses also its parts, of which class weights touch the first alone.
    pub(super) fn sum_values(&mut self, sums: Partials, divisors: Divisors) {
        let count = self.problem.spec().family().values_per_loss() as u64;
        let apart = self.problem.counts_terms_apart() && divisors.sum != divisors.kept;
        let by_sum = if apart { count.min(2) } else { count };
        self.sum_to(Columns::of_table(sums, 0, by_sum), divisors.sum, (Slot::Values, 0));
        if by_sum < count {
            self.sum_to(Columns::of_table(sums, by_sum, count - by_sum), divisors.kept, (Slot::Values, by_sum));
        }
    }

    /// The mean of each side output.
    pub(super) fn sum_side(&mut self, kept: Divide) {
        let (len, stride) = (self.problem.shape.n_rows as u64, self.problem.spec().rows().side.width() as u64);
        let rows = Partials { source: self.side, first: 0, len, stride };
        self.sum_to(Columns::of_table(rows, 0, stride), kept, (Slot::Side, 0));
    }

    /// Sums until one workgroup a column can take the rest, then divides into words of the caller's.
    fn sum_to(&mut self, mut columns: Columns, divisor: Divide, (slot, at): (Slot, u64)) {
        while columns.first.len > self.terms_per_group() {
            columns = self.sum_once(columns, None);
        }
        let kernel = self.kernel(Program::SumValues);
        let constants = self.sum_constants(TERMS_PER_LANE);
        let (terms, mut params) = match columns.first.len {
            0 => (self.constant(Slot::Terms), self.params()),
            len => self.terms(columns, 0, len),
        };
        let (values, values_base) = self.region(Source::Caller(slot), at, columns.count);
        (params.values, params.values_stride, params.grid_width) = (values_base, 1, 1);
        params.closing = self.closing();
        params.n_rows = columns.first.len as u32;
        let divisor = self.divisor(&mut params, Divisors { sum: divisor, kept: divisor });
        let regions = vec![(Slot::Divisor, divisor), (Slot::Values, values), (Slot::Terms, terms)];
        let grid = (1, 1, columns.count as u32);
        self.schedule.steps.push(Step { kernel, constants, params, regions, grid });
    }

    /// One partial sum per workgroup and column; to the place given if it is one column.
    pub(super) fn sum_once(&mut self, columns: Columns, to: Option<(Source, u64)>) -> Columns {
        let per_group = self.terms_per_group();
        let Columns { first: partials, count, .. } = columns;
        debug_assert!(to.is_none() || count == 1, "one place, one column");
        let len = partials.len.div_ceil(per_group);
        let sums = Partials { len, ..self.partials(count * len, to) };
        let kernel = self.kernel(Program::SumValues);
        for (first, n_terms) in self.windows(partials.len, partials.stride * WORD, per_group) {
            let groups = n_terms.div_ceil(per_group);
            let (terms, mut params) = self.terms(columns, first, n_terms);
            let span = (count - 1) * len + groups;
            let (values, values_base) = self.region(sums.source, sums.first + first / per_group, span);
            let (width, height) = self.grid(groups);
            (params.values, params.values_stride, params.grid_width) = (values_base, len as u32, width);
            let regions =
                vec![(Slot::Divisor, self.constant(Slot::Divisor)), (Slot::Values, values), (Slot::Terms, terms)];
            let (constants, grid) = (self.sum_constants(TERMS_PER_LANE), (width, height, count as u32));
            self.schedule.steps.push(Step { kernel, constants, params, regions, grid });
        }
        Columns { first: sums, count, apart: len }
    }

    /// What the last sum makes of a divisor of 0, in the numbers of `shaders/sum/values.wgsl`.
    fn closing(&self) -> u32 {
        match self.problem.policy {
            Policy { empty_mean: EmptyMean::Zero, .. } => 2,
            Policy { corners: Corners::PyTorch, .. } => 3,
            Policy { corners: Corners::Exact, .. } => 1,
        }
    }

    fn terms_per_group(&self) -> u64 {
        u64::from(TERMS_PER_LANE * self.caps.workgroup_size)
    }

    /// Terms `first..first + n_terms` of each column, and the `Params` that find them.
    fn terms(&self, columns: Columns, first: u64, n_terms: u64) -> (Region, Params) {
        let Partials { source, first: start, stride, .. } = columns.first;
        let (region, base) = self.region(source, start + first * stride, columns.span(n_terms));
        let params = Params {
            n_rows: n_terms as u32,
            logits: base,
            logits_stride: stride as u32,
            inner: columns.apart as u32,
            ..self.params()
        };
        (region, params)
    }
}
