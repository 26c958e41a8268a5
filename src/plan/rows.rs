//! Launching a pass of a loss over windows of rows, or of slabs: a row is a slab of one.

use std::ops::Range;

use super::classes::{TERMS_WIDTH, TRUTH_WIDTH};
use super::{Builder, Divide, Divisors, Partials, Placement, Region, Source, Step, TERMS_PER_LANE, WORD, lanes};
use crate::inputs::Broadcast;
use crate::kernel::{
    Binding, Constants, Entry, Gradient, KEPT_TILES, Kernel, Program, Slot, Upstream, Values, Variant, Width,
};
use crate::loss::Family;
use crate::params::Params;
use crate::validate::{Extent, Problem};
use crate::{Shape, Storage};

/// Rows a flat elementwise tensor is read as have this many elements: few enough that the rows of a workgroup fit the
/// smallest bindings, since a window that cuts a workgroup short would change the bits of a sum over the batch.
const FLAT_ROW: usize = 256;

/// The rows of a loss, as its kernel sees them: `outer` slabs of `inner` rows.
pub(super) struct Rows {
    pub outer: u64,
    pub inner: usize,
    pub n_classes: usize,
    /// Elements in the very last row.
    last_row: usize,
    flat: bool,
    logits_stride: usize,
    targets_stride: usize,
    dlogits_stride: usize,
    dtargets_stride: usize,
}

/// What a dispatch sees: slabs, and a range of the classes of each.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub first_slab: u64,
    pub slabs: u64,
    pub classes: Range<usize>,
}

/// How a slot's numbers lie.
pub(super) struct Planes {
    /// Elements from one slab to the next; 0 where all share one.
    stride: usize,
    /// Elements in a plane.
    pub plane: usize,
    /// Whether a slab has a plane for each class, or one.
    pub per_class: bool,
}

impl Planes {
    /// Where a slab's part of these classes starts, and its elements.
    fn part(&self, classes: &Range<usize>) -> (usize, usize) {
        match self.per_class {
            true => (classes.start * self.plane, classes.len() * self.plane),
            false => (0, self.plane),
        }
    }
}

impl Rows {
    /// A contiguous elementwise batch whose classes are alike is one run of elements, cut to rows of a good length.
    pub fn new(problem: &Problem, placement: &Placement) -> Rows {
        let Shape { n_classes, inner, logits_stride, targets_stride, dlogits_stride, dtargets_stride, .. } =
            problem.shape;
        let spec = problem.spec();
        let strides = [logits_stride, targets_stride, dlogits_stride];
        let flat = spec.family() == Family::Elementwise
            && problem.extent() != Extent::Row
            && strides.iter().all(|&stride| stride == problem.shape.slab_len())
            && spec.class_factors().len() == 1
            && matches!(placement.weights, None | Some(Broadcast::PerElement))
            && problem.shape.n_rows > 0;
        if flat {
            let n_elements = problem.shape.n_elements();
            let row = FLAT_ROW.min(n_elements);
            let last_row = n_elements - (n_elements.div_ceil(row) - 1) * row;
            let outer = n_elements.div_ceil(row) as u64;
            let stride = row;
            return Rows {
                outer,
                inner: 1,
                n_classes: row,
                last_row,
                flat,
                logits_stride: stride,
                targets_stride: stride,
                dlogits_stride: stride,
                dtargets_stride: stride,
            };
        }
        Rows {
            outer: problem.shape.outer() as u64,
            inner,
            n_classes,
            last_row: n_classes,
            flat,
            logits_stride,
            targets_stride,
            dlogits_stride,
            dtargets_stride,
        }
    }

    /// Workgroups that so many slabs take.
    pub fn groups(&self, slabs: u64, rows_per_group: u64) -> u64 {
        (slabs * self.inner as u64).div_ceil(rows_per_group)
    }

    /// The fewest slabs that are whole workgroups of rows.
    fn slabs_of_groups(&self, rows_per_group: u64) -> u64 {
        // rows_per_group is a power of two: what it shares with inner are low bits.
        let shared = (self.inner as u64 | rows_per_group).trailing_zeros();
        rows_per_group >> shared
    }
}

impl Builder<'_> {
    /// Launches passes over whole rows, of which the first leaves the partial sums returned, if the output is a scalar;
    /// none, and nothing is launched, where slabs have to be cut along their classes.
    pub(super) fn run_rows(&mut self, rows: &Rows, entries: &[Entry], divisors: Divisors) -> Option<Partials> {
        let windows = entries.iter().map(|&entry| self.slab_windows(rows, entry)).collect::<Option<Vec<_>>>()?;
        if entries.len() > 1 {
            self.keep_row_state();
        }
        let mut left = Partials::NONE;
        for (&entry, windows) in entries.iter().zip(&windows) {
            let partials = self.run_loss(rows, entry, windows, divisors);
            left = if entry.writes_values() { partials } else { left };
        }
        Some(left)
    }

    /// Row state in scratch, where the caller wants none.
    pub(super) fn keep_row_state(&mut self) {
        let problem = self.problem;
        self.row_state = self.scratch((problem.shape.n_rows * problem.state_width()) as u64);
    }

    /// None where a slab has more than its lanes go through or a binding holds.
    fn slab_windows(&self, rows: &Rows, entry: Entry) -> Option<Vec<Window>> {
        let kernel = self.loss_kernel(rows, entry);
        if rows.n_classes > self.most_classes(rows) {
            return None;
        }
        let rows_per_group = self.loss_constants(rows, kernel).rows_per_group();
        let most = self.window_slabs(rows, &kernel.bindings(), rows_per_group)?;
        let window = |k| {
            let first_slab = k * most;
            Window { first_slab, slabs: most.min(rows.outer - first_slab), classes: 0..rows.n_classes }
        };
        Some((0..rows.outer.div_ceil(most)).map(window).collect())
    }

    fn run_loss(&mut self, rows: &Rows, entry: Entry, windows: &[Window], divisors: Divisors) -> Partials {
        let kernel = self.loss_kernel(rows, entry);
        let constants = self.loss_constants(rows, kernel);
        let groups = |window: &Window| rows.groups(window.slabs, constants.rows_per_group());
        let partials = match entry.writes_values() {
            true => self.loss_partials(windows.iter().map(groups).sum()),
            false => Partials::NONE,
        };
        let mut first_group = 0;
        for window in windows {
            first_group += self.launch(rows, kernel, constants, window, divisors, (partials, first_group));
        }
        partials
    }

    /// Room for so many partial sums, if the output is a scalar.
    pub(super) fn loss_partials(&mut self, len: u64) -> Partials {
        match self.problem.extent() == Extent::Scalar && len > 0 {
            true => {
                let stride = self.problem.spec().family().values_per_loss() as u64;
                Partials { source: self.scratch(len * stride), first: 0, len, stride }
            }
            false => Partials::NONE,
        }
    }

    pub(super) fn loss_constants(&self, rows: &Rows, kernel: Kernel) -> Constants {
        let lanes = match kernel.program {
            // One number of a row is read, or none.
            Program::Loss { family: Family::GivenLogProb, entry: Entry::Forward, .. } | Program::GatherTruths => 1,
            Program::Loss { entry, .. } if entry.is_finish() => 1,
            _ => lanes(rows.n_classes, rows.inner, self.caps),
        };
        let mut constants = match kernel.program {
            Program::GatherTruths => self.sum_constants(TERMS_PER_LANE),
            _ => self.constants(lanes),
        };
        constants.kept_classes = match (kernel.kept_tiles, lanes) {
            (0, _) => 0,
            (_, 1) => rows.n_classes as u32,
            (tiles, _) => 4 * tiles,
        };
        constants.element_weights = self.placement.weights.is_some();
        constants.upstream = match self.problem.extent() {
            _ if !self.placement.has(Slot::Dloss) => Upstream::None,
            Extent::Element => Upstream::PerElement,
            Extent::Row | Extent::Scalar => Upstream::Shared,
        };
        for binding in kernel.bindings().iter().filter(|binding| binding.storage.is_some()) {
            constants.storage[binding.slot as usize - 1] = self.storage(binding.slot);
        }
        constants
    }

    /// One dispatch over a window, its partial sums from the place given; returns how many workgroups it takes.
    pub(super) fn launch(
        &mut self,
        rows: &Rows,
        kernel: Kernel,
        constants: Constants,
        window: &Window,
        divisors: Divisors,
        (partials, first_group): (Partials, u64),
    ) -> u64 {
        let groups = rows.groups(window.slabs, constants.rows_per_group());
        let grid = self.grid(groups);
        let is_last = window.first_slab + window.slabs == rows.outer;
        let mut params = Params {
            n_rows: window.slabs as u32 * rows.inner as u32,
            n_classes: rows.n_classes as u32,
            inner: rows.inner as u32,
            first_class: window.classes.start as u32,
            end_class: window.classes.end as u32,
            last_row: if is_last && rows.flat { rows.last_row } else { window.classes.end } as u32,
            grid_width: grid.0,
            ..self.params()
        };
        let mut regions = Vec::new();
        for binding in kernel.bindings() {
            let region = match binding.slot {
                Slot::Values if partials.len > 0 => {
                    let (first, len) = (first_group * partials.stride, groups * partials.stride);
                    let (region, base) = self.region(partials.source, partials.first + first, len);
                    params.values = base;
                    region
                }
                Slot::Divisor => self.divisor(&mut params, divisors),
                slot => self.window_region(slot, rows, window, &mut params),
            };
            regions.push((binding.slot, region));
        }
        self.schedule.steps.push(Step { kernel, constants, params, regions, grid: (grid.0, grid.1, 1) });
        groups
    }

    pub(super) fn loss_kernel(&self, rows: &Rows, entry: Entry) -> Kernel {
        let problem = self.problem;
        let values = match problem.extent() {
            _ if problem.weighs_sum() => Values::SumsAndSide,
            _ if entry.reads_state() => Values::Sums,
            Extent::Element => Values::PerElement,
            _ if problem.writes_side() => Values::SumsAndSide,
            _ => Values::Sums,
        };
        let (family, loss) = (problem.spec().family(), problem.spec().name());
        let mut kernel = self.kernel(Program::Loss { family, loss, entry, values });
        if self.placement.in_place && entry.writes_gradient() {
            kernel.gradient = Gradient::InPlace;
        }
        if kernel.may_keep_tiles() {
            kernel.kept_tiles = self.kept_tiles(rows);
        }
        let strides = [rows.logits_stride, rows.targets_stride, rows.dlogits_stride, rows.dtargets_stride];
        let bindings = kernel.bindings();
        let is_f32 = bindings.iter().all(|binding| self.storage(binding.slot) == Storage::F32);
        // The widest first: how many elements rows, strides and positions are multiples of, and their bytes.
        let (any, wider): (Width, &[_]) = match is_f32 {
            true if self.caps.pairs => (Width::One, &[(Width::PairsFour, 4, 4 * WORD), (Width::Pairs, 2, 2 * WORD)]),
            true => (Width::One, &[(Width::Four, 4, 4 * WORD)]),
            false => (Width::Packed, &[(Width::PackedFour, 4, 2 * WORD)]),
        };
        let fits = |&&(_, unit, bytes): &&(Width, usize, u64)| {
            let aligned = |b: &Binding| !b.tensor || self.placement.offset(b.slot).is_multiple_of(bytes);
            let mut counts = strides.into_iter().chain([rows.n_classes, rows.last_row]);
            counts.all(|n| n.is_multiple_of(unit)) && bindings.iter().all(aligned)
        };
        if entry.is_finish() {
            kernel.variant = Variant::Workgroup;
            return kernel;
        }
        if rows.inner > 1 || entry.is_gathered() {
            return self.strided(kernel);
        }
        kernel.width = wider.iter().find(fits).map_or(any, |&(width, ..)| width);
        kernel
    }

    /// Tiles of a lane, if those are few enough to be kept.
    fn kept_tiles(&self, rows: &Rows) -> u32 {
        let tiles = (rows.n_classes as u32).div_ceil(4 * lanes(rows.n_classes, rows.inner, self.caps));
        if tiles > KEPT_TILES { 0 } else { tiles }
    }

    /// The kernel that reads planes `[outer, C, inner]`, of one position if need be.
    pub(super) fn strided(&self, kernel: Kernel) -> Kernel {
        let is_f32 = kernel.bindings().iter().all(|binding| self.storage(binding.slot) == Storage::F32);
        let width = if is_f32 { Width::Strided } else { Width::PackedStrided };
        Kernel { variant: Variant::Workgroup, width, ..kernel }
    }

    pub(super) fn planes(&self, slot: Slot, rows: &Rows) -> Planes {
        let problem = self.problem;
        let n = rows.inner;
        let tensor = |stride| Planes { stride, plane: n, per_class: true };
        let per_row = |width: usize| Planes { stride: width * n, plane: width * n, per_class: false };
        let shared = |plane| Planes { stride: 0, plane, per_class: false };
        let per_value = match problem.extent() {
            Extent::Element => tensor(rows.n_classes * n),
            Extent::Row => per_row(1),
            Extent::Scalar => shared(1),
        };
        let each = problem.spec().family().values_per_loss();
        match slot {
            Slot::Logits => tensor(rows.logits_stride),
            Slot::Dlogits => tensor(rows.dlogits_stride),
            Slot::Dtargets => tensor(rows.dtargets_stride),
            Slot::Targets if problem.targets_are_labels() => per_row(problem.labels_per_row()),
            Slot::TargetProbs | Slot::TeacherIds => per_row(problem.ids_per_row()),
            Slot::Targets | Slot::Teacher => tensor(rows.targets_stride),
            Slot::RowState => per_row(problem.state_width()),
            Slot::Values if problem.extent() == Extent::Row => per_row(each),
            Slot::Values => per_value,
            Slot::Dloss if self.placement.has(Slot::Dloss) => per_value,
            Slot::Weights => match self.placement.weights {
                None => shared(1),
                Some(Broadcast::PerRow) => per_row(1),
                Some(Broadcast::PerClass) => shared(rows.n_classes),
                Some(Broadcast::PerElement) => tensor(rows.n_classes * n),
            },
            Slot::Classes => shared(problem.classes_len()),
            Slot::RowWeights if problem.takes_row_weights() => per_row(1),
            Slot::Side if problem.writes_side() => per_row(problem.spec().rows().side.width()),
            // What is kept of a slab serves the next one too.
            Slot::SavedSums => shared(self.sums_width(rows) * n),
            Slot::SavedTerms => shared(TERMS_WIDTH * n),
            Slot::Truths => shared(TRUTH_WIDTH * n),
            Slot::RowWeights | Slot::Side | Slot::Dloss | Slot::Divisor | Slot::Terms | Slot::Errors => shared(1),
        }
    }

    /// Slabs in a window: as many as every binding holds, and whole workgroups of rows where there are that many. None
    /// where a binding does not hold one.
    fn window_slabs(&self, rows: &Rows, bindings: &[Binding], rows_per_group: u64) -> Option<u64> {
        let room = self.room();
        let most_rows = self.most_groups() * rows_per_group;
        let mut most = rows.outer.clamp(1, (most_rows / rows.inner as u64).max(1));
        for binding in bindings {
            let planes = self.planes(binding.slot, rows);
            let element = self.problem.element_bytes(binding.slot);
            let slab = planes.part(&(0..rows.n_classes)).1 as u64 * element;
            if slab > room {
                return None;
            }
            if planes.stride > 0 {
                most = most.min((room - slab) / (planes.stride as u64 * element) + 1);
            }
        }
        let unit = rows.slabs_of_groups(rows_per_group);
        Some(if most < rows.outer && most > unit { most - most % unit } else { most })
    }

    /// A slot's bytes in a window; fills in where they start and how they stride.
    fn window_region(&self, slot: Slot, rows: &Rows, window: &Window, params: &mut Params) -> Region {
        let planes = self.planes(slot, rows);
        let (stride, (skipped, part)) = (planes.stride, planes.part(&window.classes));
        let given = match slot {
            Slot::Classes => false,
            Slot::Weights => self.placement.weights.is_some(),
            Slot::Dloss => self.placement.has(Slot::Dloss),
            Slot::RowWeights => self.problem.takes_row_weights(),
            _ => true,
        };
        // A flat tensor's last row is short: the slice ends with it.
        let short = if planes.per_class { window.classes.end - params.last_row as usize } else { 0 };
        let (region, base) = if given {
            let first = window.first_slab * stride as u64 + skipped as u64;
            let span = (window.slabs - 1) * stride as u64 + (part - short) as u64;
            let source = match slot {
                Slot::RowState => self.row_state,
                Slot::Side => self.side,
                Slot::SavedSums => self.saved_sums,
                Slot::SavedTerms => self.saved_terms,
                Slot::Truths => self.truths,
                _ => Source::Caller(slot),
            };
            self.region(source, first, span)
        } else {
            (self.constant(slot), 0)
        };
        // Kernels count from class 0, wherever that would be.
        let base = base.wrapping_sub(skipped as u32);
        let stride = stride as u32;
        match slot {
            Slot::Logits => (params.logits, params.logits_stride) = (base, stride),
            Slot::Targets if self.problem.targets_are_labels() => {
                (params.targets, params.targets_stride) = (base, self.label_stride());
            }
            Slot::Targets => (params.targets, params.targets_stride) = (base, stride),
            Slot::Dlogits => (params.dlogits, params.dlogits_stride) = (base, stride),
            Slot::Dtargets => (params.dtargets, params.dtargets_stride) = (base, stride),
            Slot::Teacher => (params.teacher, params.teacher_stride) = (base, stride),
            Slot::TeacherIds => (params.teacher, params.teacher_stride) = (base, self.label_stride()),
            Slot::TargetProbs => params.target_probs = base,
            Slot::Values => (params.values, params.values_stride) = (base, stride),
            Slot::RowState => params.row_state = base,
            Slot::Side => params.side = base,
            Slot::RowWeights => (params.row_weights, params.row_weights_stride) = (base, u32::from(stride > 0)),
            Slot::Classes => params.classes = base,
            Slot::Weights => {
                let class_stride = match self.placement.weights {
                    None | Some(Broadcast::PerRow) => 0,
                    Some(Broadcast::PerClass) => 1,
                    Some(Broadcast::PerElement) => rows.inner as u32,
                };
                (params.weights, params.weights_row_stride, params.weights_class_stride) = (base, stride, class_stride);
            }
            Slot::Dloss => {
                let per_element = self.problem.extent() == Extent::Element && given;
                let class_stride = if per_element { rows.inner as u32 } else { 0 };
                (params.dloss, params.dloss_row_stride, params.dloss_class_stride) = (base, stride, class_stride);
            }
            Slot::Truths => params.truths = base,
            Slot::Divisor | Slot::Terms | Slot::Errors | Slot::SavedSums | Slot::SavedTerms => {}
        }
        if slot == Slot::Logits && self.placement.in_place {
            (params.dlogits, params.dlogits_stride) = (base, stride);
        }
        region
    }

    pub(super) fn divisor(&self, params: &mut Params, divisors: Divisors) -> Region {
        let sum = match divisors.sum {
            Divide::By(number) => {
                params.divisor_value = number;
                return self.constant(Slot::Divisor);
            }
            Divide::ByPartials(sum) => sum,
        };
        let (mut region, base) = self.region(sum.source, sum.first, sum.len);
        (params.divisor, params.n_divisors) = (base, sum.len as u32);
        if let Divide::ByPartials(kept) = divisors.kept
            && kept.source == sum.source
            && kept.first > sum.first
        {
            let distance = kept.first - sum.first;
            (params.kept, params.n_kept) = (base + distance as u32, kept.len as u32);
            region.size = u64::from(base) * WORD + (distance + kept.len) * WORD;
        }
        region
    }
}
