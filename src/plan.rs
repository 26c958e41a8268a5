//! What to launch: windows of rows, dispatches, scratch. Pure: numbers in, numbers out, no device.

use crate::inputs::Broadcast;
use crate::kernel::{Access, Binding, Constants, Entry, Gradient, Kernel, Program, Slot, Values, Variant, Width};
use crate::loss::{Divisor, Family, Pass, RowWeights, Shares, TargetKind};
use crate::params::Params;
use crate::validate::{Extent, Problem};
use crate::{EmptyMean, Error, Shape, Storage};

const WORD: u64 = 4;
/// Rows a flat elementwise tensor is read as have this many elements: few enough that the rows of a workgroup fit the
/// smallest bindings, since a window that cuts a workgroup short would change the bits of a sum over the batch.
const FLAT_ROW: usize = 256;
/// Terms a lane adds up: the most that keeps its four chains at 64 terms.
const TERMS_PER_LANE: u32 = 256;
/// Labels a lane weighs: few, since every later workgroup waits for the count.
const LABELS_PER_LANE: u32 = 16;
/// Partial divisors that a lane adds up itself; more are summed by a dispatch of their own.
const MAX_DIVISORS: u64 = 64;

/// What a device allows, and what suits it.
#[derive(Clone, Debug, PartialEq)]
pub struct Caps {
    pub variant: Variant,
    /// Smallest and largest subgroup.
    pub subgroup_sizes: (u32, u32),
    pub workgroup_size: u32,
    /// Lanes that may share a row, and tiles of four classes a lane has before another joins.
    pub max_lanes: u32,
    pub tiles_per_lane: usize,
    /// Bytes in a binding at most.
    pub max_binding: u64,
    /// Bytes a binding's offset is a multiple of.
    pub alignment: u64,
    /// Workgroups along one dimension of a dispatch at most.
    pub max_groups: u32,
}

/// How the caller's slices lie: all that a schedule depends on beside the problem.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Placement {
    /// Byte offset of each slice in its buffer.
    pub offsets: Vec<(Slot, u64)>,
    /// Whether slices of one buffer meet in a dispatch.
    pub arena: bool,
    pub in_place: bool,
    pub weights: Option<Broadcast>,
    pub has_dloss: bool,
    pub counts_errors: bool,
}

impl Placement {
    fn offset(&self, slot: Slot) -> u64 {
        self.offsets.iter().find(|(s, _)| *s == slot).map_or(0, |(_, offset)| *offset)
    }
}

/// Where the bytes of a binding are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// The caller's slice.
    Caller(Slot),
    /// The plan's own constants: the class factors, or the number 1 for what the caller left out.
    Constant(Slot),
    /// A scratch buffer, by its number.
    Scratch(usize),
}

/// A binding's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    pub source: Source,
    pub offset: u64,
    pub size: u64,
}

/// One dispatch.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    pub kernel: Kernel,
    pub constants: Constants,
    pub params: Params,
    pub regions: Vec<(Slot, Region)>,
    pub grid: (u32, u32),
}

/// Everything one call launches.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schedule {
    pub steps: Vec<Step>,
    /// Bytes of each scratch buffer.
    pub scratch: Vec<u64>,
}

/// Lanes that share a row of C classes: on a device a function of C alone, so that a row's bits do not depend on the
/// batch.
pub fn lanes(n_classes: usize, caps: &Caps) -> u32 {
    let tiles = n_classes.div_ceil(4);
    let wanted = tiles.div_ceil(caps.tiles_per_lane).next_power_of_two();
    u32::try_from(wanted).map_or(caps.max_lanes, |lanes| lanes.min(caps.max_lanes))
}

/// The schedule of a problem for slices placed so.
pub fn schedule(problem: &Problem, caps: &Caps, placement: &Placement) -> Result<Schedule, Error> {
    let (row_state, side) = (Source::Caller(Slot::RowState), Source::Caller(Slot::Side));
    let mut builder = Builder { problem, caps, placement, row_state, side, schedule: Schedule::default() };
    if placement.counts_errors {
        builder.count_errors();
    }
    let divisors = builder.count_rows();
    if builder.side_is_mean() {
        builder.side = builder.scratch((problem.shape.n_rows * problem.spec().rows().side.width()) as u64);
    }
    let sums = match problem.pass {
        Pass::ForwardBackward if problem.writes_side() && problem.takes_row_weights() => {
            builder.row_state = builder.scratch((problem.shape.n_rows * problem.state_width()) as u64);
            let sums = builder.run_loss(Entry::Forward, divisors)?;
            builder.run_loss(Entry::Backward, divisors)?;
            sums
        }
        Pass::Forward => builder.run_loss(Entry::Forward, divisors)?,
        Pass::ForwardBackward => builder.run_loss(Entry::ForwardBackward, divisors)?,
        Pass::Backward => builder.run_loss(Entry::Backward, divisors)?,
    };
    if problem.writes_values() && problem.extent() == Extent::Scalar {
        builder.sum_to(sums, divisors.sum, (Slot::Values, 0));
    }
    if builder.side_is_mean() {
        builder.sum_side(divisors.kept);
    }
    Ok(builder.schedule)
}

/// Where a divisor comes from.
#[derive(Clone, Copy)]
enum Divide {
    By(f32),
    /// The sum of these.
    ByPartials(Partials),
}

/// What the sum of losses is divided by, and what terms are that no class weight touches.
#[derive(Clone, Copy)]
struct Divisors {
    sum: Divide,
    kept: Divide,
}

/// An array of partial results: words `stride` apart from word `first`.
#[derive(Clone, Copy)]
struct Partials {
    source: Source,
    first: u64,
    len: u64,
    stride: u64,
}

impl Partials {
    fn contiguous(source: Source, first: u64, len: u64) -> Partials {
        Partials { source, first, len, stride: 1 }
    }
}

struct Builder<'a> {
    problem: &'a Problem,
    caps: &'a Caps,
    placement: &'a Placement,
    /// Where row state and side outputs per row are.
    row_state: Source,
    side: Source,
    schedule: Schedule,
}

/// The rows of a loss, as its kernel sees them.
struct Rows {
    n_rows: u64,
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
        let Shape { n_rows, n_classes, logits_stride, targets_stride, dlogits_stride, dtargets_stride, .. } =
            problem.shape;
        let spec = problem.spec();
        let strides = [logits_stride, targets_stride, dlogits_stride];
        let flat = spec.family() == Family::Elementwise
            && problem.extent() != Extent::Row
            && strides.iter().all(|&stride| stride == n_classes)
            && spec.class_factors().len() == 1
            && matches!(placement.weights, None | Some(Broadcast::PerElement))
            && n_rows > 0;
        if flat {
            let n_elements = problem.shape.n_elements();
            let row = FLAT_ROW.min(n_elements);
            let last_row = n_elements - (n_elements.div_ceil(row) - 1) * row;
            let n_rows = n_elements.div_ceil(row) as u64;
            let stride = row;
            return Rows {
                n_rows,
                n_classes: row,
                last_row,
                flat,
                logits_stride: stride,
                targets_stride: stride,
                dlogits_stride: stride,
                dtargets_stride: stride,
            };
        }
        let (n_rows, last_row) = (n_rows as u64, n_classes);
        Rows { n_rows, n_classes, last_row, flat, logits_stride, targets_stride, dlogits_stride, dtargets_stride }
    }
}

impl Builder<'_> {
    fn constants(&self, lanes: u32) -> Constants {
        let spec = self.problem.spec();
        Constants {
            workgroup_size: self.caps.workgroup_size,
            lanes,
            per_row: self.problem.extent() == Extent::Row,
            class_factors: spec.class_factors() != crate::loss::ONE,
            label_smoothing: spec.shares(self.problem.shape.n_classes) != Shares::WHOLE,
            temperature: spec.temperature() != 1.0,
            softcap: spec.rows().softcap.is_some(),
            row_extras: self.problem.has_row_extras(),
            side: spec.rows().side.bits(),
            row_count: match spec.rows().row_weights {
                None | Some(RowWeights::Scale) => 0,
                Some(RowWeights::Mask) => 1,
                Some(RowWeights::Count) => 2,
            },
            last_sum: false,
            empty_mean_is_zero: self.problem.policy.empty_mean == EmptyMean::Zero,
            terms_per_lane: TERMS_PER_LANE,
            subgroup_sizes: self.caps.subgroup_sizes,
            storage: [Storage::F32; Slot::COUNT],
        }
    }

    fn kernel(&self, program: Program) -> Kernel {
        Kernel {
            program,
            variant: self.caps.variant,
            width: Width::One,
            access: if self.placement.arena { Access::Arena } else { Access::Split },
            gradient: Gradient::Separate,
        }
    }

    fn grid(&self, groups: u64) -> (u32, u32) {
        let width = groups.min(self.caps.max_groups.into());
        (width as u32, groups.div_ceil(width) as u32)
    }

    /// Workgroups of one dispatch at most.
    fn most_groups(&self) -> u64 {
        u64::from(self.caps.max_groups).pow(2)
    }

    fn scratch(&mut self, words: u64) -> Source {
        self.schedule.scratch.push(words * WORD);
        Source::Scratch(self.schedule.scratch.len() - 1)
    }

    /// Elements `first..first + len` of a slice, and their position within the aligned binding: in elements, or in words
    /// where those are smaller.
    fn region(&self, source: Source, first: u64, len: u64) -> (Region, u32) {
        let (slice_start, element) = match source {
            Source::Caller(slot) => (self.placement.offset(slot), self.problem.element_bytes(slot)),
            Source::Constant(_) | Source::Scratch(_) => (0, WORD),
        };
        let start = slice_start + first * element;
        let offset = start - start % self.caps.alignment;
        let base = start - offset;
        // A binding ends with the word that its last element lies in; 64-bit labels are found by words.
        let size = (base + len * element).next_multiple_of(WORD);
        (Region { source, offset, size }, (base / element.min(WORD)) as u32)
    }

    /// Words from one label to the next.
    fn label_stride(&self) -> u32 {
        (self.problem.shape.label_storage.bytes() as u64 / WORD) as u32
    }

    /// How a slot's numbers are stored; what the caller left out is the f32 number 1.
    fn storage(&self, slot: Slot) -> Storage {
        let given = slot != Slot::Dloss || self.placement.has_dloss;
        if given { self.problem.storage(slot) } else { Storage::F32 }
    }

    fn constant(&self, slot: Slot) -> Region {
        let words = if slot == Slot::Classes { self.problem.classes_len() } else { 1 };
        Region { source: Source::Constant(slot), offset: 0, size: words as u64 * WORD }
    }

    /// Options every kernel of the problem shares.
    fn params(&self) -> Params {
        let spec = self.problem.spec();
        let factors = spec.class_factors();
        let n_classes = self.problem.shape.n_classes;
        let (shares, rows) = (spec.shares(n_classes), spec.rows());
        let softcap = rows.softcap.unwrap_or(1.0);
        let class_weight_sum = match factors {
            [all] => f64::from(*all) * n_classes as f64,
            each => each.iter().copied().map(f64::from).sum(),
        };
        Params {
            n_classes: n_classes as u32,
            classes_stride: u32::from(factors.len() > 1),
            row_size: 1.0,
            ignored: factors.len() as u32,
            n_ignored: spec.ignore_index().len() as u32,
            target_share: shares.target as f32,
            even_share: shares.even as f32,
            even_sum: (shares.even * class_weight_sum) as f32,
            inv_temperature: (1.0 / f64::from(spec.temperature())) as f32,
            softcap,
            inv_softcap: (1.0 / f64::from(softcap)) as f32,
            z_loss: (f64::from(rows.z_loss) * self.problem.extras_share) as f32,
            poly1: (f64::from(spec.poly1()) * self.problem.extras_share) as f32,
            side_width: rows.side.width() as u32,
            top_k: rows.side.top_k.unwrap_or(0),
            scale: spec.scale() as f32,
            loss_args: spec.loss_args(),
            ..Params::default()
        }
    }

    /// The divisors, counting the kept rows first where only labels and row weights know them.
    fn count_rows(&mut self) -> Divisors {
        let problem = self.problem;
        let (divisor, kept) = (problem.divisor(), problem.kept());
        // Terms without class weights need both counts in one binding.
        let mixed = problem.has_row_extras() && divisor == Divisor::Kept { weighted: true };
        let shared = mixed.then(|| self.scratch(2 * MAX_DIVISORS));
        let sum = self.count(divisor, shared.map(|source| (source, 0)));
        let kept = match mixed || (self.side_is_mean() && kept != divisor) {
            true => self.count(kept, shared.map(|source| (source, MAX_DIVISORS))),
            false => sum,
        };
        Divisors { sum, kept }
    }

    fn side_is_mean(&self) -> bool {
        self.problem.writes_side() && self.problem.spec().rows().side.mean
    }

    fn count(&mut self, divisor: Divisor, to: Option<(Source, u64)>) -> Divide {
        match divisor {
            Divisor::Number(number) => Divide::By(number as f32),
            Divisor::Input => Divide::ByPartials(Partials::contiguous(Source::Caller(Slot::Divisor), 0, 1)),
            Divisor::Kept { .. } if self.problem.shape.n_rows == 0 => Divide::By(0.0),
            Divisor::Kept { weighted } => Divide::ByPartials(self.count_kept(weighted, to)),
        }
    }

    /// Room for partial results: at the place given, once few enough are left for a divisor.
    fn partials(&mut self, len: u64, to: Option<(Source, u64)>) -> Partials {
        match to {
            Some((source, first)) if len <= MAX_DIVISORS => Partials::contiguous(source, first, len),
            _ => Partials::contiguous(self.scratch(len), 0, len),
        }
    }

    fn count_kept(&mut self, weighted: bool, to: Option<(Source, u64)>) -> Partials {
        let n_rows = self.problem.shape.n_rows as u64;
        let rows_per_group = u64::from(LABELS_PER_LANE * self.caps.workgroup_size);
        let mut partials = self.partials(n_rows.div_ceil(rows_per_group), to);
        let kernel = self.kernel(match self.problem.spec().targets() {
            TargetKind::ClassIndex => Program::SumTargetWeights,
            _ => Program::SumRowWeights,
        });
        let mut constants = self.constants(1);
        constants.terms_per_lane = LABELS_PER_LANE;
        constants.class_factors &= weighted;
        self.over_labels(kernel, constants, partials);
        while partials.len > MAX_DIVISORS {
            partials = self.sum_once(partials, to);
        }
        partials
    }

    /// Adds the rows that labels or row weights leave without a value to the caller's counter.
    fn count_errors(&mut self) {
        let constants = Constants { terms_per_lane: LABELS_PER_LANE, ..self.constants(1) };
        let counter = Partials::contiguous(Source::Caller(Slot::Errors), 0, 1);
        self.over_labels(self.kernel(Program::CountErrors), constants, counter);
    }

    /// Launches a kernel over the labels and row weights; its results are one per workgroup, or a single counter.
    fn over_labels(&mut self, kernel: Kernel, constants: Constants, results: Partials) {
        let rows_per_group = u64::from(LABELS_PER_LANE * self.caps.workgroup_size);
        let row = self.problem.element_bytes(Slot::Targets).max(WORD);
        for (first, len) in self.windows(self.problem.shape.n_rows as u64, row, rows_per_group) {
            let groups = len.div_ceil(rows_per_group);
            let grid = self.grid(groups);
            let mut params = Params { n_rows: len as u32, grid_width: grid.0, ..self.params() };
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
            self.schedule.steps.push(Step { kernel, constants, params, regions, grid });
        }
    }

    /// Bytes of a slice that a binding holds, wherever it starts: whole words after an aligned offset.
    fn room(&self) -> u64 {
        self.caps.max_binding - self.caps.max_binding % WORD - self.caps.alignment
    }

    /// Cuts an array of elements so many bytes apart into windows that a binding holds, each but the last a multiple of
    /// `unit` elements.
    fn windows(&self, len: u64, stride: u64, unit: u64) -> Vec<(u64, u64)> {
        let most = self.room() / stride;
        let window = (most / unit).clamp(1, self.most_groups()) * unit;
        (0..len.div_ceil(window)).map(|k| (k * window, window.min(len - k * window))).collect()
    }

    /// Launches a pass of the loss; returns the partial sums it leaves, if its output is a scalar.
    fn run_loss(&mut self, entry: Entry, divisors: Divisors) -> Result<Partials, Error> {
        let problem = self.problem;
        let rows = Rows::new(problem, self.placement);
        let lanes = lanes(rows.n_classes, self.caps);
        let rows_per_group = u64::from(self.caps.workgroup_size / lanes);
        let kernel = self.loss_kernel(&rows, entry);
        let bindings = kernel.bindings();
        let mut constants = self.constants(lanes);
        for binding in bindings.iter().filter(|binding| binding.storage.is_some()) {
            constants.storage[binding.slot as usize - 1] = self.storage(binding.slot);
        }
        let written = entry != Entry::Backward && problem.extent() == Extent::Scalar && rows.n_rows > 0;
        let mut partials = Partials::contiguous(Source::Constant(Slot::Terms), 0, 0);
        let window = self.window_rows(&rows, &bindings, rows_per_group)?;
        let windows: Vec<_> =
            (0..rows.n_rows.div_ceil(window)).map(|k| (k * window, window.min(rows.n_rows - k * window))).collect();
        if written {
            let len = windows.iter().map(|(_, len)| len.div_ceil(rows_per_group)).sum();
            partials = Partials::contiguous(self.scratch(len), 0, len);
        }
        let mut first_group = 0;
        for (first, len) in windows {
            let groups = len.div_ceil(rows_per_group);
            let grid = self.grid(groups);
            let is_last = first + len == rows.n_rows;
            let mut params = Params {
                n_rows: len as u32,
                n_classes: rows.n_classes as u32,
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

    /// Elements between rows of a slot, and in one row.
    fn row_extent(&self, slot: Slot, rows: &Rows) -> (usize, usize) {
        let problem = self.problem;
        let c = rows.n_classes;
        let per_value = match problem.extent() {
            Extent::Element => (c, c),
            Extent::Row => (1, 1),
            Extent::Scalar => (0, 1),
        };
        match slot {
            Slot::Logits => (rows.logits_stride, c),
            Slot::Dlogits => (rows.dlogits_stride, c),
            Slot::Dtargets => (rows.dtargets_stride, c),
            Slot::Targets if problem.spec().targets() == TargetKind::ClassIndex => (1, 1),
            Slot::Targets => (rows.targets_stride, c),
            Slot::RowState => (problem.state_width(), problem.state_width()),
            Slot::Values => per_value,
            Slot::Dloss if self.placement.has_dloss => per_value,
            Slot::Weights => match self.placement.weights {
                None => (0, 1),
                Some(Broadcast::PerRow) => (1, 1),
                Some(Broadcast::PerClass) => (0, c),
                Some(Broadcast::PerElement) => (c, c),
            },
            Slot::Classes => (0, problem.classes_len()),
            Slot::RowWeights if problem.takes_row_weights() => (1, 1),
            Slot::Side => (problem.spec().rows().side.width(), problem.spec().rows().side.width()),
            Slot::RowWeights | Slot::Dloss | Slot::Divisor | Slot::Terms | Slot::Errors => (0, 1),
        }
    }

    /// Rows in a window: as many as every binding holds, and a multiple of `rows_per_group` where there are that many.
    fn window_rows(&self, rows: &Rows, bindings: &[Binding], rows_per_group: u64) -> Result<u64, Error> {
        let room = self.room();
        let mut most = rows.n_rows.clamp(1, self.most_groups() * rows_per_group);
        for binding in bindings {
            let (stride, len) = self.row_extent(binding.slot, rows);
            let element = self.problem.element_bytes(binding.slot);
            let row = len as u64 * element;
            if row > room {
                return Err(Error::RowTooLarge { tensor: binding.slot.name(), found: row, limit: room });
            }
            if stride > 0 {
                most = most.min((room - row) / (stride as u64 * element) + 1);
            }
        }
        Ok(if most > rows_per_group { most - most % rows_per_group } else { most })
    }

    /// A slot's bytes for rows `first..first + len`; fills in where they start and how they stride.
    fn window_region(&self, slot: Slot, rows: &Rows, first: u64, len: u64, tail: usize, params: &mut Params) -> Region {
        let (stride, row) = self.row_extent(slot, rows);
        let given = match slot {
            Slot::Classes => false,
            Slot::Weights => self.placement.weights.is_some(),
            Slot::Dloss => self.placement.has_dloss,
            Slot::RowWeights => self.problem.takes_row_weights(),
            _ => true,
        };
        // A flat tensor's last row is short: the slice ends with it.
        let short = if rows.flat && row == rows.n_classes { tail as u64 } else { 0 };
        let (region, base) = if given {
            let span = (len - 1) * stride as u64 + row as u64 - short;
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
        let class_stride =
            u32::from(row == rows.n_classes && (stride > 0 || self.placement.weights == Some(Broadcast::PerClass)));
        match slot {
            Slot::Logits => (params.logits, params.logits_stride) = (base, stride),
            Slot::Targets if self.problem.spec().targets() == TargetKind::ClassIndex => {
                (params.targets, params.targets_stride) = (base, self.label_stride());
            }
            Slot::Targets => (params.targets, params.targets_stride) = (base, stride),
            Slot::Dlogits => (params.dlogits, params.dlogits_stride) = (base, stride),
            Slot::Dtargets => (params.dtargets, params.dtargets_stride) = (base, stride),
            Slot::Values => (params.values, params.values_stride) = (base, stride),
            Slot::RowState => params.row_state = base,
            Slot::Side => params.side = base,
            Slot::RowWeights => (params.row_weights, params.row_weights_stride) = (base, stride),
            Slot::Classes => params.classes = base,
            Slot::Weights => {
                (params.weights, params.weights_row_stride, params.weights_class_stride) = (base, stride, class_stride);
            }
            Slot::Dloss => {
                let class_stride = u32::from(self.problem.extent() == Extent::Element && given);
                (params.dloss, params.dloss_row_stride, params.dloss_class_stride) = (base, stride, class_stride);
            }
            Slot::Divisor | Slot::Terms | Slot::Errors => {}
        }
        if slot == Slot::Logits && self.placement.in_place {
            (params.dlogits, params.dlogits_stride) = (base, stride);
        }
        region
    }

    fn divisor(&self, params: &mut Params, divisors: Divisors) -> Region {
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

    /// Sums until one workgroup can take the rest, then divides into a word of the caller's.
    fn sum_to(&mut self, mut partials: Partials, divisor: Divide, (slot, at): (Slot, u64)) {
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

    /// The mean of each side output.
    fn sum_side(&mut self, kept: Divide) {
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
    fn sum_once(&mut self, partials: Partials, to: Option<(Source, u64)>) -> Partials {
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
