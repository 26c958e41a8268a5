//! What to launch: windows of rows, dispatches, scratch. Pure: numbers in, numbers out, no device.

use crate::inputs::Broadcast;
use crate::kernel::{Access, Constants, Entry, Gradient, Kernel, Program, Slot, Values, Variant, Width};
use crate::loss::{Divisor, Family, Pass, TargetKind};
use crate::params::Params;
use crate::validate::{Extent, Problem};
use crate::{Error, Shape};

const WORD: u64 = 4;
/// Rows a flat elementwise tensor is read as have this many elements.
const FLAT_ROW: usize = 1024;
/// Terms a lane adds up: the most that keeps its four chains at 64 terms.
const TERMS_PER_LANE: u32 = 256;
/// Labels a lane weighs: few, since every later workgroup waits for the count.
const LABELS_PER_LANE: u32 = 16;
/// Partial divisors that a workgroup adds up itself; more are summed by a dispatch of their own.
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
    let mut builder = Builder { problem, caps, placement, schedule: Schedule::default() };
    let divisor = builder.count_targets();
    let sums = builder.run_loss(divisor)?;
    if problem.writes_values() && problem.extent() == Extent::Scalar {
        builder.sum_values(sums, divisor);
    }
    Ok(builder.schedule)
}

/// Where the divisor comes from.
#[derive(Clone, Copy)]
enum Divide {
    By(f32),
    ByNumbersAt(Source, u64),
}

/// An array of partial results in scratch.
#[derive(Clone, Copy)]
struct Partials {
    source: Source,
    len: u64,
}

struct Builder<'a> {
    problem: &'a Problem,
    caps: &'a Caps,
    placement: &'a Placement,
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
        let Shape { n_rows, n_classes, logits_stride, targets_stride, dlogits_stride, dtargets_stride } = problem.shape;
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
            label_smoothing: spec.label_smoothing() != 0.0,
            temperature: spec.temperature() != 1.0,
            last_sum: false,
            terms_per_lane: TERMS_PER_LANE,
            subgroup_sizes: self.caps.subgroup_sizes,
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

    /// Elements `first..first + len` of a slice, and their position within the aligned binding.
    fn region(&self, source: Source, first: u64, len: u64) -> (Region, u32) {
        let start = first * WORD
            + match source {
                Source::Caller(slot) => self.placement.offset(slot),
                Source::Constant(_) | Source::Scratch(_) => 0,
            };
        let offset = start - start % self.caps.alignment;
        let base = start - offset;
        (Region { source, offset, size: base + len * WORD }, (base / WORD) as u32)
    }

    fn constant(&self, slot: Slot) -> Region {
        let words = if slot == Slot::Classes { self.problem.spec().class_factors().len() as u64 } else { 1 };
        Region { source: Source::Constant(slot), offset: 0, size: words * WORD }
    }

    /// Options every kernel of the problem shares.
    fn params(&self) -> Params {
        let spec = self.problem.spec();
        let ignored = spec.ignore_index();
        let factors = spec.class_factors();
        let n_classes = self.problem.shape.n_classes;
        let class_weight_sum = match factors {
            [all] => f64::from(*all) * n_classes as f64,
            each => each.iter().copied().map(f64::from).sum(),
        };
        Params {
            n_classes: n_classes as u32,
            classes_stride: u32::from(factors.len() > 1),
            ignore_index: ignored.unwrap_or(0),
            has_ignore_index: ignored.is_some().into(),
            label_smoothing: spec.label_smoothing(),
            class_weight_sum: class_weight_sum as f32,
            inv_temperature: (1.0 / f64::from(spec.temperature())) as f32,
            scale: spec.scale() as f32,
            loss_args: spec.loss_args(),
            ..Params::default()
        }
    }

    /// The divisor, counting the kept rows first where only the labels know it.
    fn count_targets(&mut self) -> Divide {
        let weighted = match self.problem.divisor() {
            Divisor::Number(number) => return Divide::By(number as f32),
            Divisor::Input => return Divide::ByNumbersAt(Source::Caller(Slot::Divisor), 1),
            Divisor::Targets { .. } if self.problem.shape.n_rows == 0 => return Divide::By(0.0),
            Divisor::Targets { weighted } => weighted,
        };
        let n_rows = self.problem.shape.n_rows as u64;
        let labels_per_group = u64::from(LABELS_PER_LANE * self.caps.workgroup_size);
        let n_partials = n_rows.div_ceil(labels_per_group);
        let partials = Partials { source: self.scratch(n_partials), len: n_partials };
        let kernel = self.kernel(Program::SumTargetWeights);
        let mut constants = self.constants(1);
        constants.terms_per_lane = LABELS_PER_LANE;
        constants.class_factors &= weighted;
        let labels = Source::Caller(Slot::Targets);
        for (first, len) in self.windows(n_rows, labels_per_group) {
            let groups = len.div_ceil(labels_per_group);
            let (targets, targets_base) = self.region(labels, first, len);
            let (values, values_base) = self.region(partials.source, first / labels_per_group, groups);
            let grid = self.grid(groups);
            let params = Params {
                n_rows: len as u32,
                grid_width: grid.0,
                targets: targets_base,
                values: values_base,
                ..self.params()
            };
            let regions =
                vec![(Slot::Targets, targets), (Slot::Classes, self.constant(Slot::Classes)), (Slot::Values, values)];
            self.schedule.steps.push(Step { kernel, constants, params, regions, grid });
        }
        let mut partials = partials;
        while partials.len > MAX_DIVISORS {
            partials = self.sum_once(partials);
        }
        Divide::ByNumbersAt(partials.source, partials.len)
    }

    /// Cuts an array of words into windows that a binding holds, each but the last a multiple of `unit`.
    fn windows(&self, len: u64, unit: u64) -> Vec<(u64, u64)> {
        let most = (self.caps.max_binding - self.caps.alignment) / WORD;
        let window = (most / unit).clamp(1, self.most_groups()) * unit;
        (0..len.div_ceil(window)).map(|k| (k * window, window.min(len - k * window))).collect()
    }

    /// Launches the loss; returns the partial sums it leaves, if its output is a scalar.
    fn run_loss(&mut self, divisor: Divide) -> Result<Partials, Error> {
        let problem = self.problem;
        let rows = Rows::new(problem, self.placement);
        let lanes = lanes(rows.n_classes, self.caps);
        let rows_per_group = u64::from(self.caps.workgroup_size / lanes);
        let kernel = self.loss_kernel(&rows);
        let constants = self.constants(lanes);
        let bindings = kernel.bindings();
        let written = problem.writes_values() && problem.extent() == Extent::Scalar && rows.n_rows > 0;
        let mut partials = Partials { source: Source::Constant(Slot::Terms), len: 0 };
        let window = self.window_rows(&rows, &bindings, rows_per_group)?;
        let windows: Vec<_> =
            (0..rows.n_rows.div_ceil(window)).map(|k| (k * window, window.min(rows.n_rows - k * window))).collect();
        if written {
            let len = windows.iter().map(|(_, len)| len.div_ceil(rows_per_group)).sum();
            partials = Partials { source: self.scratch(len), len };
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
                    Slot::Divisor => self.divisor(&mut params, divisor),
                    slot => self.window_region(slot, &rows, first, len, tail, &mut params),
                };
                regions.push((binding.slot, region));
            }
            first_group += groups;
            self.schedule.steps.push(Step { kernel, constants, params, regions, grid });
        }
        Ok(partials)
    }

    fn loss_kernel(&self, rows: &Rows) -> Kernel {
        let problem = self.problem;
        let entry = match problem.pass {
            Pass::Forward => Entry::Forward,
            Pass::ForwardBackward => Entry::ForwardBackward,
            Pass::Backward => Entry::Backward,
        };
        let values = match problem.extent() {
            Extent::Element if problem.writes_values() => Values::PerElement,
            _ => Values::Sums,
        };
        let (family, loss) = (problem.spec().family(), problem.spec().name());
        let mut kernel = self.kernel(Program::Loss { family, loss, entry, values });
        if self.placement.in_place {
            kernel.gradient = Gradient::InPlace;
        }
        let quads = |n: usize| n.is_multiple_of(4);
        let strides = [rows.logits_stride, rows.targets_stride, rows.dlogits_stride, rows.dtargets_stride];
        let tensors = [Slot::Logits, Slot::Targets, Slot::Dlogits, Slot::Dtargets, Slot::Values, Slot::Dloss];
        let aligned = |slot| {
            let is_tensor = kernel.bindings().iter().any(|binding| binding.slot == slot && binding.tensor);
            !is_tensor || self.placement.offset(slot).is_multiple_of(4 * WORD)
        };
        if quads(rows.n_classes)
            && quads(rows.last_row)
            && strides.into_iter().all(quads)
            && tensors.into_iter().all(aligned)
        {
            kernel.width = Width::Four;
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
            Slot::Classes => (0, problem.spec().class_factors().len()),
            Slot::Dloss | Slot::Divisor | Slot::Terms => (0, 1),
        }
    }

    /// Rows in a window: as many as every binding holds, and a multiple of `rows_per_group` where there are that many.
    fn window_rows(&self, rows: &Rows, bindings: &[crate::kernel::Binding], rows_per_group: u64) -> Result<u64, Error> {
        let room = self.caps.max_binding - self.caps.alignment;
        let mut most = rows.n_rows.clamp(1, self.most_groups() * rows_per_group);
        for binding in bindings {
            let (stride, len) = self.row_extent(binding.slot, rows);
            let row = len as u64 * WORD;
            if row > room {
                return Err(Error::RowTooLarge { tensor: binding.slot.name(), found: row, limit: room });
            }
            if stride > 0 {
                most = most.min((room - row) / (stride as u64 * WORD) + 1);
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
            _ => true,
        };
        // A flat tensor's last row is short: the slice ends with it.
        let short = if rows.flat && row == rows.n_classes { tail as u64 } else { 0 };
        let (region, base) = if given {
            let span = (len - 1) * stride as u64 + row as u64 - short;
            self.region(Source::Caller(slot), first * stride as u64, span)
        } else {
            (self.constant(slot), 0)
        };
        let stride = stride as u32;
        let class_stride =
            u32::from(row == rows.n_classes && (stride > 0 || self.placement.weights == Some(Broadcast::PerClass)));
        match slot {
            Slot::Logits => (params.logits, params.logits_stride) = (base, stride),
            Slot::Targets => (params.targets, params.targets_stride) = (base, stride),
            Slot::Dlogits => (params.dlogits, params.dlogits_stride) = (base, stride),
            Slot::Dtargets => (params.dtargets, params.dtargets_stride) = (base, stride),
            Slot::Values => (params.values, params.values_stride) = (base, stride),
            Slot::RowState => params.row_state = base,
            Slot::Classes => params.classes = base,
            Slot::Weights => {
                (params.weights, params.weights_row_stride, params.weights_class_stride) = (base, stride, class_stride);
            }
            Slot::Dloss => {
                let class_stride = u32::from(self.problem.extent() == Extent::Element && given);
                (params.dloss, params.dloss_row_stride, params.dloss_class_stride) = (base, stride, class_stride);
            }
            Slot::Divisor | Slot::Terms => {}
        }
        if slot == Slot::Logits && self.placement.in_place {
            (params.dlogits, params.dlogits_stride) = (base, stride);
        }
        region
    }

    fn divisor(&self, params: &mut Params, divisor: Divide) -> Region {
        match divisor {
            Divide::By(number) => {
                params.divisor_value = number;
                self.constant(Slot::Divisor)
            }
            Divide::ByNumbersAt(source, len) => {
                let (region, base) = self.region(source, 0, len);
                (params.divisor, params.n_divisors) = (base, len as u32);
                region
            }
        }
    }

    /// Sums until one workgroup can take the rest, then divides into the caller's value.
    fn sum_values(&mut self, mut partials: Partials, divisor: Divide) {
        while partials.len > self.terms_per_group() {
            partials = self.sum_once(partials);
        }
        let kernel = self.kernel(Program::SumValues);
        let constants = Constants { last_sum: true, ..self.constants(1) };
        let (terms, terms_base) = match partials.len {
            0 => (self.constant(Slot::Terms), 0),
            len => self.region(partials.source, 0, len),
        };
        let (values, values_base) = self.region(Source::Caller(Slot::Values), 0, 1);
        let mut params = Params {
            n_rows: partials.len as u32,
            grid_width: 1,
            logits: terms_base,
            values: values_base,
            ..self.params()
        };
        let divisor = self.divisor(&mut params, divisor);
        let regions = vec![(Slot::Divisor, divisor), (Slot::Values, values), (Slot::Terms, terms)];
        self.schedule.steps.push(Step { kernel, constants, params, regions, grid: (1, 1) });
    }

    fn terms_per_group(&self) -> u64 {
        u64::from(TERMS_PER_LANE * self.caps.workgroup_size)
    }

    /// One partial sum per workgroup.
    fn sum_once(&mut self, partials: Partials) -> Partials {
        let per_group = self.terms_per_group();
        let len = partials.len.div_ceil(per_group);
        let sums = Partials { source: self.scratch(len), len };
        let kernel = self.kernel(Program::SumValues);
        for (first, n_terms) in self.windows(partials.len, per_group) {
            let groups = n_terms.div_ceil(per_group);
            let (terms, terms_base) = self.region(partials.source, first, n_terms);
            let (values, values_base) = self.region(sums.source, first / per_group, groups);
            let grid = self.grid(groups);
            let params = Params {
                n_rows: n_terms as u32,
                grid_width: grid.0,
                logits: terms_base,
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
