//! Counting the rows that a divisor counts, and those without a value.

use super::sums::Columns;
use super::{Builder, Divide, Divisors, Partials, Source, Step, WORD};
use crate::kernel::{Kernel, Program, Slot};
use crate::loss::{Divisor, TargetKind};
use crate::params::Params;

/// Labels a lane weighs: few, since every later workgroup waits for the count.
const LABELS_PER_LANE: u32 = 16;
/// Partial divisors that a lane adds up itself; more are summed by a dispatch of their own.
const MAX_DIVISORS: u64 = 64;

impl Builder<'_> {
    /// The divisors, counting the kept rows first where only labels and row weights know them.
    pub(super) fn count_rows(&mut self) -> Divisors {
        let problem = self.problem;
        let (divisor, kept) = (problem.divisor(), problem.kept());
        let apart = problem.counts_terms_apart();
        // Both counts lie in one binding.
        let shared = (apart && matches!(divisor, Divisor::Kept { .. })).then(|| self.scratch(2 * MAX_DIVISORS));
        let sum = self.count(divisor, shared.map(|source| (source, 0)));
        let kept = match apart || (problem.side_is_mean() && kept != divisor) {
            true => self.count(kept, shared.map(|source| (source, MAX_DIVISORS))),
            false => sum,
        };
        Divisors { sum, kept }
    }

    fn count(&mut self, divisor: Divisor, to: Option<(Source, u64)>) -> Divide {
        match divisor {
            Divisor::Number(number) => Divide::By(number as f32),
            Divisor::Input => Divide::ByPartials(Partials::contiguous(Source::Caller(Slot::Divisor), 0, 1)),
            Divisor::Kept { .. } if self.problem.shape.n_rows == 0 => Divide::By(0.0),
            Divisor::Kept { weighted, row_size } => Divide::ByPartials(self.count_kept(weighted, row_size, to)),
        }
    }

    /// Room for partial results: at the place given, once few enough are left for a divisor.
    pub(super) fn partials(&mut self, len: u64, to: Option<(Source, u64)>) -> Partials {
        match to {
            Some((source, first)) if len <= MAX_DIVISORS => Partials::contiguous(source, first, len),
            _ => Partials::contiguous(self.scratch(len), 0, len),
        }
    }

    fn count_kept(&mut self, weighted: bool, row_size: f64, to: Option<(Source, u64)>) -> Partials {
        let n_rows = self.problem.shape.n_rows as u64;
        let rows_per_group = u64::from(LABELS_PER_LANE * self.caps.workgroup_size);
        let mut partials = self.partials(n_rows.div_ceil(rows_per_group), to);
        let kernel = self.kernel(match self.problem.spec().targets() {
            TargetKind::ClassIndex => Program::SumTargetWeights,
            _ => Program::SumRowWeights,
        });
        let share = Params { row_size: row_size as f32, weighs_classes: weighted.into(), ..self.params() };
        self.over_labels(kernel, share, partials);
        while partials.len > MAX_DIVISORS {
            partials = self.sum_once(Columns::one(partials), to).first;
        }
        partials
    }

    /// Adds the rows that labels or row weights leave without a value to the caller's counter.
    pub(super) fn count_errors(&mut self) {
        let counter = Partials::contiguous(Source::Caller(Slot::Errors), 0, 1);
        self.over_labels(self.kernel(Program::CountErrors), self.params(), counter);
    }

    /// Launches a kernel over the labels and row weights, whose shares these are; its results are one per workgroup, or a
    /// single counter.
    fn over_labels(&mut self, kernel: Kernel, share: Params, results: Partials) {
        let constants = self.sum_constants(LABELS_PER_LANE);
        let rows_per_group = u64::from(LABELS_PER_LANE * self.caps.workgroup_size);
        let row = self.problem.element_bytes(Slot::Targets).max(WORD);
        for (first, len) in self.windows(self.problem.shape.n_rows as u64, row, rows_per_group) {
            let groups = len.div_ceil(rows_per_group);
            let grid = self.grid(groups);
            let mut params = Params { n_rows: len as u32, grid_width: grid.0, ..share };
            let mut regions = Vec::new();
            for binding in kernel.bindings() {
                let region = match binding.slot {
                    Slot::Targets => {
                        let (region, base) = self.region(Source::Caller(Slot::Targets), first, len);
                        (params.targets, params.targets_stride) = (base, self.label_stride());
                        region
                    }
                    Slot::RowWeights if self.problem.takes_row_weights() => {
                        let (region, base) = self.region(Source::Caller(Slot::RowWeights), first, len);
                        (params.row_weights, params.row_weights_stride) = (base, 1);
                        region
                    }
                    Slot::Values => {
                        let at = results.first + first / rows_per_group;
                        let (region, base) = self.region(results.source, at, groups);
                        params.values = base;
                        region
                    }
                    Slot::Errors => {
                        let (region, base) = self.region(results.source, results.first, results.len);
                        params.values = base;
                        region
                    }
                    slot => self.constant(slot),
                };
                regions.push((binding.slot, region));
            }
            self.schedule.steps.push(Step { kernel, constants, params, regions, grid: (grid.0, grid.1, 1) });
        }
    }
}
