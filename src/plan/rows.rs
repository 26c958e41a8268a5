//! Launching a pass of a loss over windows of rows, or of slabs: a row is a slab of one.

use super::{Builder, Divide, Divisors, Partials, Placement, Region, Source, Step, WORD, lanes};
use crate::inputs::Broadcast;
use crate::kernel::{Binding, Entry, Gradient, Kernel, Program, Slot, Values, Variant, Width};
use crate::loss::Family;
use crate::params::Params;
use crate::validate::{Extent, Problem};
use crate::{Error, Shape, Storage};

/// Rows a flat elementwise tensor is read as have this many elements: few enough that the rows of a workgroup fit the
/// smallest bindings, since a window that cuts a workgroup short would change the bits of a sum over the batch.
const FLAT_ROW: usize = 256;

/// The rows of a loss, as its kernel sees them: `outer` slabs of `inner` rows.
struct Rows {
    outer: u64,
    inner: usize,
    n_classes: usize,
    /// Elements in the very last row.
    last_row: usize,
    flat: bool,
    logits_stride: usize,
    targets_stride: usize,
    dlogits_stride: usize,
    dtargets_stride: usize,
}

impl Rows {
    /// A contiguous elementwise batch whose classes are alike is one run of elements, cut to rows of a good length.
    fn new(problem: &Problem, placement: &Placement) -> Rows {
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
    fn groups(&self, slabs: u64, rows_per_group: u64) -> u64 {
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
    /// Launches a pass of the loss; returns the partial sums it leaves, if its output is a scalar.
    pub(super) fn run_loss(&mut self, entry: Entry, divisors: Divisors) -> Result<Partials, Error> {
        let problem = self.problem;
        let rows = Rows::new(problem, self.placement);
        let lanes = match (problem.spec().family(), entry) {
            // One number of a row is read.
            (Family::GivenLogProb, Entry::Forward) => 1,
            _ => lanes(rows.n_classes, rows.inner, self.caps),
        };
        let rows_per_group = u64::from(self.caps.workgroup_size / lanes);
        let kernel = self.loss_kernel(&rows, entry);
        let bindings = kernel.bindings();
        let mut constants = self.constants(lanes);
        for binding in bindings.iter().filter(|binding| binding.storage.is_some()) {
            constants.storage[binding.slot as usize - 1] = self.storage(binding.slot);
        }
        let written = entry != Entry::Backward && problem.extent() == Extent::Scalar && rows.outer > 0;
        let mut partials = Partials::contiguous(Source::Constant(Slot::Terms), 0, 0);
        let window = self.window_slabs(&rows, &bindings, rows_per_group)?;
        let windows: Vec<_> =
            (0..rows.outer.div_ceil(window)).map(|k| (k * window, window.min(rows.outer - k * window))).collect();
        if written {
            let len = windows.iter().map(|(_, len)| rows.groups(*len, rows_per_group)).sum();
            partials = Partials::contiguous(self.scratch(len), 0, len);
        }
        let mut first_group = 0;
        for (first, len) in windows {
            let groups = rows.groups(len, rows_per_group);
            let grid = self.grid(groups);
            let is_last = first + len == rows.outer;
            let mut params = Params {
                n_rows: len as u32 * rows.inner as u32,
                n_classes: rows.n_classes as u32,
                inner: rows.inner as u32,
                last_row: if is_last { rows.last_row } else { rows.n_classes } as u32,
                grid_width: grid.0,
                ..self.params()
            };
            let mut regions = Vec::new();
            for binding in &bindings {
                let tail = rows.n_classes - params.last_row as usize;
                let region = match binding.slot {
                    Slot::Values if written => {
                        let (region, base) = self.region(partials.source, first_group, groups);
                        params.values = base;
                        region
                    }
                    Slot::Divisor => self.divisor(&mut params, divisors),
                    slot => self.window_region(slot, &rows, first, len, tail, &mut params),
                };
                regions.push((binding.slot, region));
            }
            first_group += groups;
            self.schedule.steps.push(Step { kernel, constants, params, regions, grid });
        }
        Ok(partials)
    }

    fn loss_kernel(&self, rows: &Rows, entry: Entry) -> Kernel {
        let problem = self.problem;
        let values = match problem.extent() {
            _ if entry == Entry::Backward => Values::Sums,
            Extent::Element => Values::PerElement,
            _ if problem.writes_side() => Values::SumsAndSide,
            _ => Values::Sums,
        };
        let (family, loss) = (problem.spec().family(), problem.spec().name());
        let mut kernel = self.kernel(Program::Loss { family, loss, entry, values });
        if self.placement.in_place && entry != Entry::Forward {
            kernel.gradient = Gradient::InPlace;
        }
        let quads = |n: usize| n.is_multiple_of(4);
        let strides = [rows.logits_stride, rows.targets_stride, rows.dlogits_stride, rows.dtargets_stride];
        let bindings = kernel.bindings();
        let is_f32 = bindings.iter().all(|binding| self.storage(binding.slot) == Storage::F32);
        let (any, four, alignment) = match is_f32 {
            true => (Width::One, Width::Four, 4 * WORD),
            false => (Width::Packed, Width::PackedFour, 2 * WORD),
        };
        let aligned =
            |binding: &Binding| !binding.tensor || self.placement.offset(binding.slot).is_multiple_of(alignment);
        if rows.inner > 1 {
            kernel.variant = Variant::Workgroup;
            kernel.width = if is_f32 { Width::Strided } else { Width::PackedStrided };
            return kernel;
        }
        kernel.width = any;
        if quads(rows.n_classes)
            && quads(rows.last_row)
            && strides.into_iter().all(quads)
            && bindings.iter().all(aligned)
        {
            kernel.width = four;
        }
        kernel
    }

    /// Elements between slabs of a slot, and in one slab.
    fn slab_extent(&self, slot: Slot, rows: &Rows) -> (usize, usize) {
        let problem = self.problem;
        let (n, c) = (rows.inner, rows.inner * rows.n_classes);
        let labels = problem.labels_per_row() * n;
        let (state, side) = (problem.state_width() * n, problem.spec().rows().side.width() * n);
        let per_value = match problem.extent() {
            Extent::Element => (c, c),
            Extent::Row => (n, n),
            Extent::Scalar => (0, 1),
        };
        match slot {
            Slot::Logits => (rows.logits_stride, c),
            Slot::Dlogits => (rows.dlogits_stride, c),
            Slot::Dtargets => (rows.dtargets_stride, c),
            Slot::Targets if problem.targets_are_labels() => (labels, labels),
            Slot::TargetProbs => (labels, labels),
            Slot::Targets => (rows.targets_stride, c),
            Slot::RowState => (state, state),
            Slot::Values => per_value,
            Slot::Dloss if self.placement.has_dloss => per_value,
            Slot::Weights => match self.placement.weights {
                None => (0, 1),
                Some(Broadcast::PerRow) => (n, n),
                Some(Broadcast::PerClass) => (0, rows.n_classes),
                Some(Broadcast::PerElement) => (c, c),
            },
            Slot::Classes => (0, problem.classes_len()),
            Slot::RowWeights if problem.takes_row_weights() => (n, n),
            Slot::Side => (side, side),
            Slot::RowWeights | Slot::Dloss | Slot::Divisor | Slot::Terms | Slot::Errors => (0, 1),
        }
    }

    /// Slabs in a window: as many as every binding holds, and whole workgroups of rows where there are that many.
    fn window_slabs(&self, rows: &Rows, bindings: &[Binding], rows_per_group: u64) -> Result<u64, Error> {
        let room = self.room();
        let most_rows = self.most_groups() * rows_per_group;
        let mut most = rows.outer.clamp(1, (most_rows / rows.inner as u64).max(1));
        for binding in bindings {
            let (stride, len) = self.slab_extent(binding.slot, rows);
            let element = self.problem.element_bytes(binding.slot);
            let slab = len as u64 * element;
            if slab > room {
                return Err(Error::RowTooLarge { tensor: binding.slot.name(), found: slab, limit: room });
            }
            if stride > 0 {
                most = most.min((room - slab) / (stride as u64 * element) + 1);
            }
        }
        let unit = rows.slabs_of_groups(rows_per_group);
        Ok(if most > unit { most - most % unit } else { most })
    }

    /// A slot's bytes for slabs `first..first + len`; fills in where they start and how they stride.
    fn window_region(&self, slot: Slot, rows: &Rows, first: u64, len: u64, tail: usize, params: &mut Params) -> Region {
        let (stride, slab) = self.slab_extent(slot, rows);
        let given = match slot {
            Slot::Classes => false,
            Slot::Weights => self.placement.weights.is_some(),
            Slot::Dloss => self.placement.has_dloss,
            Slot::RowWeights => self.problem.takes_row_weights(),
            _ => true,
        };
        // A flat tensor's last row is short: the slice ends with it.
        let short = if rows.flat && slab == rows.n_classes { tail as u64 } else { 0 };
        let (region, base) = if given {
            let span = (len - 1) * stride as u64 + slab as u64 - short;
            let source = match slot {
                Slot::RowState => self.row_state,
                Slot::Side => self.side,
                _ => Source::Caller(slot),
            };
            self.region(source, first * stride as u64, span)
        } else {
            (self.constant(slot), 0)
        };
        let stride = stride as u32;
        match slot {
            Slot::Logits => (params.logits, params.logits_stride) = (base, stride),
            Slot::Targets if self.problem.targets_are_labels() => {
                (params.targets, params.targets_stride) = (base, self.label_stride());
            }
            Slot::Targets => (params.targets, params.targets_stride) = (base, stride),
            Slot::Dlogits => (params.dlogits, params.dlogits_stride) = (base, stride),
            Slot::Dtargets => (params.dtargets, params.dtargets_stride) = (base, stride),
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
            Slot::Divisor | Slot::Terms | Slot::Errors => {}
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
