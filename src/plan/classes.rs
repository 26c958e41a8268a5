//! Launching a loss on slabs that exceed a binding: one after the other, each in windows of classes. What its family
//! sums over a row's classes, and the logits of labels, are kept from window to window.

use std::ops::Range;

use super::rows::{Rows, Window};
use super::{Builder, Divisors, Partials, WORD};
use crate::Error;
use crate::kernel::{Constants, Entry, Kernel, Program, Slot, by_class};
use crate::loss::Pass;

/// Words of a label and its logit.
pub(super) const TRUTH_WIDTH: usize = 2;
/// Words of a row's terms: `Terms` in WGSL.
pub(super) const TERMS_WIDTH: usize = 2;
/// Classes that a lane reads at once.
const TILE: u64 = 4;

/// A kernel, and the windows of classes it is launched over.
struct Stage {
    kernel: Kernel,
    constants: Constants,
    windows: Vec<Range<usize>>,
}

impl Stage {
    /// Partial sums it leaves of a slab.
    fn partials(&self, rows: &Rows) -> u64 {
        match self.kernel.program {
            Program::Loss { entry, .. } if entry.writes_values() => {
                self.windows.len() as u64 * rows.groups(1, self.constants.rows_per_group())
            }
            _ => 0,
        }
    }
}

impl Builder<'_> {
    /// Launches the problem's pass; returns the partial sums it leaves, if its output is a scalar.
    pub(super) fn run_classes(&mut self, rows: &Rows, divisors: Divisors) -> Result<Partials, Error> {
        let spec = self.problem.spec();
        let entries = by_class(spec.family(), spec.name(), self.problem.pass);
        let losses = entries.iter().map(|&entry| self.loss_kernel(rows, entry));
        let kernels = self.gathering(&entries).into_iter().chain(losses);
        let stages = kernels.map(|kernel| self.stage(rows, kernel)).collect::<Result<Vec<_>, _>>()?;
        for slot in [Slot::Truths, Slot::SavedSums, Slot::SavedTerms] {
            self.keep(rows, &stages, slot);
        }
        if self.problem.pass == Pass::ForwardBackward && entries.iter().any(|entry| entry.reads_state()) {
            self.keep_row_state();
        }
        let of_slab: u64 = stages.iter().map(|stage| stage.partials(rows)).sum();
        let partials = self.loss_partials(rows.outer * of_slab);
        let mut first_group = 0;
        for first_slab in 0..rows.outer {
            for stage in &stages {
                for classes in &stage.windows {
                    let window = Window { first_slab, slabs: 1, classes: classes.clone() };
                    let groups =
                        self.launch(rows, stage.kernel, stage.constants, &window, divisors, (partials, first_group));
                    first_group += if stage.partials(rows) > 0 { groups } else { 0 };
                }
            }
        }
        Ok(partials)
    }

    /// What finds each label's logit, if labels are read.
    fn gathering(&self, entries: &[Entry]) -> Option<Kernel> {
        let family = self.problem.spec().family();
        entries.iter().any(|entry| entry.reads_labels(family)).then(|| self.strided(self.kernel(Program::GatherTruths)))
    }

    /// Room for what a slab's windows keep of it, if they do.
    fn keep(&mut self, rows: &Rows, stages: &[Stage], slot: Slot) {
        let bound = stages.iter().any(|stage| stage.kernel.bindings().iter().any(|binding| binding.slot == slot));
        if bound {
            let kept = self.scratch(self.planes(slot, rows).plane as u64);
            match slot {
                Slot::Truths => self.truths = kept,
                Slot::SavedSums => self.saved_sums = kept,
                _ => self.saved_terms = kept,
            }
        }
    }

    fn stage(&self, rows: &Rows, kernel: Kernel) -> Result<Stage, Error> {
        let constants = self.loss_constants(rows, kernel);
        let windows = match kernel.reads_classes() {
            true => class_windows(rows, self.room(), self.most_classes(rows)),
            false => std::iter::once(0..rows.n_classes).collect(),
        };
        let room = self.room();
        for binding in kernel.bindings() {
            let (tensor, planes) = (binding.slot.name(), self.planes(binding.slot, rows));
            let found = planes.plane as u64 * self.problem.element_bytes(binding.slot);
            if found > room {
                return Err(match planes.per_class {
                    true => Error::ClassTooLarge { tensor, found, limit: room },
                    false => Error::RowTooLarge { tensor, found, limit: room },
                });
            }
        }
        Ok(Stage { kernel, constants, windows })
    }

    pub(super) fn sums_width(&self, rows: &Rows) -> usize {
        self.loss_kernel(rows, Entry::Accumulate).sums_width()
    }
}

/// Windows of as many classes as a binding holds in f32, and of `most_classes` at most: which they are depends on C, on
/// `inner` and on the device alone.
fn class_windows(rows: &Rows, room: u64, most_classes: usize) -> Vec<Range<usize>> {
    let most = (room / (WORD * rows.inner as u64)).clamp(1, most_classes as u64);
    let window = if most > TILE { most - most % TILE } else { most } as usize;
    (0..rows.n_classes).step_by(window).map(|first| first..rows.n_classes.min(first + window)).collect()
}
