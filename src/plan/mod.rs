//! What to launch: windows of rows, dispatches, scratch. Pure: numbers in, numbers out, no device.

mod classes;
mod counts;
mod rows;
mod sums;

use rows::Rows;

use crate::inputs::Broadcast;
use crate::kernel::{Access, Binding, Constants, Entry, Gradient, Kernel, Program, Slot, Upstream, Variant, Width};
use crate::loss::{Distillation, Family, RowWeights, Shares, Spec};
use crate::params::Params;
use crate::validate::{Extent, Problem};
use crate::{Error, Storage};

const WORD: u64 = 4;
/// Terms a lane adds up: the most that keeps its four chains at 64 terms.
const TERMS_PER_LANE: u32 = 256;

/// What a device allows, and what suits it.
#[derive(Clone, Debug, PartialEq)]
pub struct Caps {
    pub variant: Variant,
    /// Smallest and largest subgroup.
    pub subgroup_sizes: (u32, u32),
    pub workgroup_size: u32,
    /// Where short rows come in workgroups of their own size: classes at most, and lanes.
    pub short_rows: Option<(usize, u32)>,
    /// Lanes that may share a row, and tiles of four classes a lane has before another joins.
    pub max_lanes: u32,
    pub tiles_per_lane: usize,
    /// Lanes that share a row whatever its length, where that was forced or found by timing.
    pub lanes: Option<u32>,
    /// Tiles a lane may go through in one read of a row.
    pub max_tiles: usize,
    /// Whether f32 are best moved two at a time, as one word of 64 bits.
    pub pairs: bool,
    /// Storage buffers that a kernel may bind.
    pub storage_buffers: u32,
    /// Bytes in a binding at most.
    pub max_binding: u64,
    /// Bytes in a buffer at most.
    pub max_buffer: u64,
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
    pub in_place: bool,
    pub weights: Option<Broadcast>,
}

impl Placement {
    /// Whether the caller has such a slice.
    pub fn has(&self, slot: Slot) -> bool {
        self.offsets.iter().any(|(s, _)| *s == slot)
    }

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
    /// Workgroups along x, y and z.
    pub grid: (u32, u32, u32),
}

impl Step {
    /// What it binds.
    pub fn bound(&self) -> Vec<BoundRegion> {
        let bindings = self.kernel.bindings().into_iter().zip(&self.regions);
        let bound = bindings.map(|(Binding { slot, written, .. }, &(placed, region))| {
            debug_assert_eq!(slot, placed, "regions are in the order of the bindings");
            BoundRegion { region, read: !written || self.adds_to(slot), written }
        });
        bound.collect()
    }

    /// Whether it reads what it writes there: logits under a gradient, and sums over the windows before.
    fn adds_to(&self, slot: Slot) -> bool {
        match slot {
            Slot::Logits | Slot::SavedSums | Slot::SavedTerms | Slot::Errors => true,
            Slot::Values => {
                let is_elementwise = matches!(self.kernel.program, Program::Loss { family: Family::Elementwise, .. });
                is_elementwise && self.params.per_row == 1 && self.params.first_class > 0
            }
            _ => false,
        }
    }
}

/// A binding of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoundRegion {
    pub region: Region,
    pub read: bool,
    pub written: bool,
}

/// Everything one call launches.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Schedule {
    pub steps: Vec<Step>,
    /// Bytes of each scratch buffer.
    pub scratch: Vec<u64>,
    /// What the second part of a sum of losses is told, the same in every step.
    pub soft_params: Option<Params>,
}

impl Schedule {
    /// Bytes of its scratch buffers one after the other, each at a multiple of the alignment.
    pub fn scratch_bytes(&self, alignment: u64) -> u64 {
        self.scratch.iter().map(|size| size.next_multiple_of(alignment)).sum()
    }
}

/// Rows that a workgroup stands on side by side where there are as many: the f32 of a class fill a cache line of 128
/// bytes.
const ROWS_ABREAST: usize = 32;

/// Lanes that share a row of C classes: on a device a function of C and `inner` alone, so that a row's bits do not
/// depend on the batch.
pub fn lanes(n_classes: usize, inner: usize, caps: &Caps) -> u32 {
    let tiles = n_classes.div_ceil(4);
    let lanes_of = |tiles_each| u32::try_from(tiles.div_ceil(tiles_each).next_power_of_two()).unwrap_or(u32::MAX);
    let wanted = caps.lanes.unwrap_or_else(|| lanes_of(caps.tiles_per_lane)).min(caps.max_lanes);
    let abreast = inner.min(ROWS_ABREAST).next_power_of_two() as u32;
    wanted.max(lanes_of(caps.max_tiles)).min(caps.workgroup_size / abreast)
}

/// The schedule of a problem for slices placed so.
pub fn schedule(problem: &Problem, caps: &Caps, placement: &Placement) -> Result<Schedule, Error> {
    let (row_state, side) = (Source::Caller(Slot::RowState), Source::Caller(Slot::Side));
    let caps = suited(problem, caps);
    let caps = &Caps { max_tiles: caps.max_tiles / loops_per_tile(problem), ..caps };
    let mut builder = Builder {
        problem,
        caps,
        placement,
        row_state,
        side,
        truths: Source::Caller(Slot::Truths),
        saved_sums: Source::Caller(Slot::SavedSums),
        saved_terms: Source::Caller(Slot::SavedTerms),
        schedule: Schedule::default(),
    };
    builder.schedule.soft_params = problem.spec().distillation().map(|parts| builder.soft_params(parts));
    if problem.writes_state() && !placement.has(Slot::RowState) && problem.shape.n_rows > 0 {
        builder.keep_row_state();
    }
    if placement.has(Slot::Errors) {
        builder.count_errors();
    }
    let divisors = builder.count_rows();
    if problem.side_is_mean() {
        builder.side = builder.scratch((problem.shape.n_rows * problem.spec().rows().side.width()) as u64);
    } else if problem.weighs_sum() && problem.writes_values() && !problem.writes_side() {
        // Bound with the weights, and not written.
        builder.side = builder.scratch(1);
    }
    let rows = Rows::new(problem, placement);
    let entries = match problem.pass {
        _ if problem.passes_take_turns() => vec![Entry::Forward, Entry::Backward],
        pass => vec![Entry::of(pass)],
    };
    let sums = match builder.run_rows(&rows, &entries, divisors) {
        Some(sums) => sums,
        None => builder.run_classes(&rows, divisors)?,
    };
    if problem.writes_values() && problem.extent() == Extent::Scalar {
        builder.sum_values(sums, divisors);
    }
    if problem.side_is_mean() {
        builder.sum_side(divisors.kept);
    }
    let buffers = |step: &Step| step.kernel.bindings().len() as u32;
    match builder.schedule.steps.iter().map(buffers).max() {
        Some(wanted) if wanted > caps.storage_buffers => {
            let found = caps.storage_buffers;
            let what = format!("max_storage_buffers_per_shader_stage of {wanted} (it grants {found})");
            Err(Error::Device { what })
        }
        _ => Ok(builder.schedule),
    }
}

/// What suits a device for this problem: on it a function of the loss, of C and of `inner` alone.
pub fn suited(problem: &Problem, caps: &Caps) -> Caps {
    let (family, shape) = (problem.spec().family(), &problem.shape);
    let most = family.most_lanes(problem.has_sum_extras());
    let is_short = |classes: usize| shape.n_classes <= classes && shape.inner == 1 && family != Family::Elementwise;
    let size = match caps.short_rows {
        Some((classes, size)) if is_short(classes) => size,
        _ => caps.workgroup_size,
    };
    Caps { workgroup_size: size.min(most), short_rows: None, max_lanes: caps.max_lanes.min(most), ..caps.clone() }
}

/// Steps of loops in one read that a tile of classes stands for: its own and, of a top-k teacher, those over ids,
/// sixteen at a time, of the tiles that may be named. In a row of its own few are; where neighbours stand on rows of
/// their own, any of theirs counts, and filters are small.
fn loops_per_tile(problem: &Problem) -> usize {
    match problem.spec().top_k() {
        None => 1,
        Some(_) if problem.shape.inner == 1 => 3,
        Some(top_k) => 2 + top_k.k.div_ceil(16),
    }
}

/// Where a divisor comes from.
#[derive(Clone, Copy, PartialEq)]
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
#[derive(Clone, Copy, PartialEq)]
struct Partials {
    source: Source,
    first: u64,
    len: u64,
    stride: u64,
}

impl Partials {
    const NONE: Partials = Partials { source: Source::Constant(Slot::Terms), first: 0, len: 0, stride: 1 };

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
    /// What is kept of a slab from one window of its classes to the next.
    truths: Source,
    saved_sums: Source,
    saved_terms: Source,
    schedule: Schedule,
}

impl Builder<'_> {
    fn constants(&self, lanes: u32) -> Constants {
        let spec = self.problem.spec();
        let label_smoothing = spec.shares(self.problem.shape.n_classes) != Shares::WHOLE;
        // Where only the label's class has one it is looked up whether or not it is 1.
        let every_class_has_a_factor = match spec.family() {
            Family::ClassIndex | Family::Distillation { .. } => label_smoothing,
            family => family != Family::GivenLogProb,
        };
        Constants {
            workgroup_size: self.caps.workgroup_size,
            lanes,
            class_factors: every_class_has_a_factor && spec.class_factors() != crate::loss::ONE,
            element_weights: false,
            upstream: Upstream::None,
            label_smoothing,
            temperature: spec.temperature() != 1.0,
            softcap: spec.rows().softcap.is_some(),
            soft_temperature: spec.distillation().is_some_and(|parts| parts.soft.spec().temperature() != 1.0),
            row_extras: self.problem.has_row_extras(),
            side: spec.rows().side.bits(),
            pytorch_corners: self.problem.has_pytorch_corners(),
            terms_per_lane: TERMS_PER_LANE,
            kept_classes: 0,
            subgroup_sizes: self.caps.subgroup_sizes,
            storage: [Storage::F32; Slot::COUNT],
        }
    }

    /// Those of sums and counts, which know no option of a loss.
    fn sum_constants(&self, terms_per_lane: u32) -> Constants {
        let Constants { workgroup_size, subgroup_sizes, storage, .. } = self.constants(1);
        Constants {
            workgroup_size,
            lanes: 1,
            class_factors: false,
            element_weights: false,
            upstream: Upstream::None,
            label_smoothing: false,
            temperature: false,
            softcap: false,
            soft_temperature: false,
            row_extras: false,
            side: 0,
            pytorch_corners: false,
            terms_per_lane,
            kept_classes: 0,
            subgroup_sizes,
            storage,
        }
    }

    fn kernel(&self, program: Program) -> Kernel {
        Kernel {
            program,
            variant: self.caps.variant,
            width: Width::One,
            access: Access::Split,
            gradient: Gradient::Separate,
            kept_tiles: 0,
        }
    }

    /// Workgroups along x and y.
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

    /// Elements `first..first + len` of a slice, and their position within the aligned binding: in elements, or in
    /// words where those are smaller.
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
        let given = slot != Slot::Dloss || self.placement.has(Slot::Dloss);
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
        let class_weight_sum = match factors {
            [all] => f64::from(*all) * n_classes as f64,
            each => each.iter().copied().map(f64::from).sum(),
        };
        Params {
            n_classes: n_classes as u32,
            classes_stride: u32::from(factors.len() > 1),
            ignored: factors.len() as u32,
            n_ignored: spec.ignore_index().len() as u32,
            target_share: shares.target as f32,
            even_share: shares.even as f32,
            even_sum: (shares.even * class_weight_sum) as f32,
            z_loss: (self.problem.z_loss() / spec.scale()) as f32,
            poly1: (f64::from(spec.poly1()) * self.problem.extras_share) as f32,
            side_width: rows.side.width() as u32,
            top_k: rows.side.top_k.unwrap_or(0),
            part_weight: spec.distillation().map_or(1.0, |parts| parts.hard_weight),
            k: spec.top_k().map_or(0, |top_k| top_k.k) as u32,
            rest: spec.top_k().map_or(0, |top_k| top_k.rest as u32),
            per_row: u32::from(self.problem.extent() == Extent::Row),
            row_count: match spec.row_weights() {
                None | Some(RowWeights::Scale) => 0,
                Some(RowWeights::Mask) => 1,
                Some(RowWeights::Count) => 2,
            },
            ..loss_params(spec)
        }
    }

    /// Options of the divergence in a sum, and the z-loss as a part of its own; where tensors lie is said once.
    fn soft_params(&self, parts: &Distillation) -> Params {
        let soft = parts.soft.spec();
        Params {
            part_weight: (f64::from(parts.soft_weight) * self.problem.extras_share) as f32,
            z_loss: parts.hard.spec().rows().z_loss,
            ..loss_params(soft)
        }
    }

    /// Classes of a row that its lanes may go through in one read.
    fn most_classes(&self, rows: &Rows) -> usize {
        self.caps.max_tiles.saturating_mul(4 * lanes(rows.n_classes, rows.inner, self.caps) as usize)
    }

    /// Bytes of a slice that a binding holds, wherever it starts: whole words after an aligned offset.
    fn room(&self) -> u64 {
        (self.caps.max_binding - self.caps.max_binding % WORD).saturating_sub(self.caps.alignment)
    }

    /// Cuts an array of elements so many bytes apart into windows that a binding holds, each but the last a multiple of
    /// `unit` elements.
    fn windows(&self, len: u64, stride: u64, unit: u64) -> Vec<(u64, u64)> {
        let most = self.room() / stride;
        let window = (most / unit).clamp(1, self.most_groups()) * unit;
        (0..len.div_ceil(window)).map(|k| (k * window, window.min(len - k * window))).collect()
    }
}

/// Options of one loss, be it a part of a sum.
fn loss_params(spec: &dyn Spec) -> Params {
    let softcap = spec.rows().softcap.unwrap_or(1.0);
    Params {
        softcap,
        inv_softcap: (1.0 / f64::from(softcap)) as f32,
        inv_temperature: (1.0 / f64::from(spec.temperature())) as f32,
        scale: spec.scale() as f32,
        loss_args: spec.loss_args(),
        ..Params::default()
    }
}
