//! A row of the table made into a call: its loss and tensors, where they lie, and the device they go to.

use surprisal::reference::Evaluation;
use surprisal::{
    Corners as Rule, EmptyMean, Engine, Family, GpuEngine, LabelStorage, Loss, Output, Pass, Policy, Reduction,
};

use super::array::Row;
use super::axes::{
    ALIGNMENTS, Alignment, Axis, CLASSES, CORNERS, Classes, Corners, LANES, Lanes, NUMBERS, Numbers, PASSES, PLACES,
    Place, ROWS, Rows, SIDES, STRIDES, Sides, Stride, Table, WAYS, WEIGHTS, Way, mix,
};
use super::edge::{mask_by_the_lowest, put_at_the_edge};
use crate::support::bits::{Fingerprint, HasBits};
use crate::support::case::Case;
use crate::support::cases::{Batch, padded_by, random_case, weights};
use crate::support::compare::{assert_bits_match, assert_matches};
use crate::support::planes::in_planes;
use crate::support::random::Random;
use crate::support::staged::{APART, ARENA, Bits, Layout, Staged, bind, plan, run};

/// One call.
pub struct Trial {
    /// Of the row it comes from.
    pub number: usize,
    pub case: Case,
    /// Its last row or slab by itself, where that has a value of its own.
    alone: Option<Case>,
    pub pass: Pass,
    pub lanes: Lanes,
    pub way: Way,
    layout: Layout,
}

/// What came of it; from host slices by pass.
pub enum Found {
    Recorded(Bits),
    Evaluated(Vec<Output>),
}

impl HasBits for Found {
    fn add_to(&self, fingerprint: &mut Fingerprint) {
        match self {
            Found::Recorded(bits) => bits.add_to(fingerprint),
            Found::Evaluated(passes) => passes.add_to(fingerprint),
        }
    }
}

impl Trial {
    pub fn new(table: &Table, number: usize, row: &Row) -> Trial {
        let level = |axis: Axis| row[axis as usize];
        let (classes, alignment) = (CLASSES[level(Axis::Classes)], ALIGNMENTS[level(Axis::Alignment)]);
        let (stride, way) = (STRIDES[level(Axis::Stride)], WAYS[level(Axis::Way)]);
        let n_classes = n_classes(classes, alignment, number);
        let (outer, inner) = rows(ROWS[level(Axis::Rows)], classes, stride, number);
        let in_place = level(Axis::InPlace) == 1;
        let partial = row.iter().copied().map(Some).collect();
        let loss = table.loss(&partial, n_classes).expect("the loss takes its options");

        let numbers = NUMBERS[level(Axis::Numbers)];
        let deviation = if numbers == Numbers::Far { 30.0 } else { 3.0 };
        let mut case = random_case(loss, Batch::new(outer * inner, n_classes).deviation(deviation));
        match numbers {
            Numbers::Near | Numbers::Far => {}
            Numbers::Edge => put_at_the_edge(&mut case, number),
            Numbers::Lowest => mask_by_the_lowest(&mut case, number),
        }
        let corners = CORNERS[level(Axis::Corners)];
        if corners.is_empty() {
            empty(&mut case);
        }
        if let Some(broadcast) = WEIGHTS[level(Axis::Weights)] {
            case = weights(&case, broadcast);
        }
        if level(Axis::Upstream) == 1 && case.dloss.is_none() {
            let len = output_len(&case);
            case = case.dloss(&Random::new(2).grid(len, -2, 2));
        }
        let storage = mix(level(Axis::Storage));
        let dress = |case: Case| {
            let mut case = laid_out(case, stride, alignment, inner, in_place, number);
            case.shape = storage.shape(case.shape);
            if in_place {
                case.shape.dlogits_storage = case.shape.logits_storage;
            }
            if level(Axis::WideLabels) == 1 {
                case.shape = case.shape.label_storage(LabelStorage::I64);
            }
            case.policy(policy(corners))
        };
        let by_row = case.loss.reduction().is_none_or(|reduction| reduction == Reduction::None);
        let last: Vec<usize> = ((outer - 1) * inner..outer * inner).collect();
        let has_mean = level(Axis::Side) == SIDES.iter().position(|&side| side == Sides::Mean).unwrap_or(0);
        let alone = (by_row && outer > 1 && !has_mean).then(|| dress(case.rows(&last)));
        let mut case = dress(case);
        let layout = layout(PLACES[level(Axis::Place)]);
        let (lanes, pass) = (LANES[level(Axis::Engine)], PASSES[level(Axis::Pass)]);
        case.name = format!("row {number} ({lanes:?}, {way:?}, {numbers:?}, {stride:?}, {corners:?}): {}", case.name);
        Trial { number, case, alone, pass, lanes, way, layout: if in_place { layout.in_place() } else { layout } }
    }

    /// The engine as this call finds it: of the same pipelines, with limits that have it cut.
    fn limited(&self, engine: &GpuEngine) -> GpuEngine {
        const WORD: usize = 4;
        let shape = self.case.shape;
        let stride = shape.logits_stride.max(shape.targets_stride).max(shape.dlogits_stride);
        let (slab, whole) = (stride * WORD, shape.outer() * stride * WORD);
        let alignment = engine.device().limits().min_storage_buffer_offset_alignment as usize;
        let engine = engine.clone().policy(self.case.policy);
        // What is bound whole: a number per class and the ignored labels, and what windows keep of a slab's rows.
        let (per_class, kept) = ((shape.n_classes + 4) * WORD, 20 * shape.inner * WORD);
        let binding = |bytes: usize| {
            let bytes = (bytes.next_multiple_of(WORD) + alignment) as u64;
            engine.limited(|limits| limits.max_storage_buffer_binding_size = bytes)
        };
        match self.way {
            Way::Recorded | Way::Host => engine,
            Way::Windows => binding((whole / 3).max(slab).max(kept).max(per_class).max(1024)),
            Way::NarrowWindows => binding(slab.max(kept).max(per_class).max(1024)),
            // A quarter of a slab in f32, half of one in 16 bits. A flat tensor is read as rows of 256.
            Way::ClassWindows if self.case.loss.family() == Family::Elementwise => {
                binding((slab / WORD).max(per_class).max(1024))
            }
            Way::ClassWindows if shape.inner > 1 => binding((slab / WORD).max(kept).max(per_class)),
            Way::ClassWindows => binding((slab / WORD).max(kept)),
            Way::Groups => engine.limited(|limits| limits.max_compute_workgroups_per_dimension = 2),
            Way::Runs => engine.limited(|limits| limits.max_buffer_size = (whole / 3).max(slab) as u64),
        }
    }

    /// Its results, held against the oracle. A backward pass that is recorded starts from the row state of the CPU
    /// engine, whose results these are: that of the device is held against the oracle where it goes forward, and a
    /// backward pass from it where tensors are the host's.
    pub fn check(&self, engine: &GpuEngine, on_cpu: &[Output]) -> Found {
        let (engine, pass) = (self.limited(engine), self.pass);
        if !self.way.is_recorded() {
            return Found::Evaluated(self.check_evaluated("GPU", &engine.into()));
        }
        let state = on_cpu.first().and_then(|output| output.row_state.as_deref()).filter(|_| pass == Pass::Backward);
        let saved: Vec<u32> = state.unwrap_or_default().iter().map(|number| number.to_bits()).collect();
        let bits = twice(&engine, &self.case, pass, self.layout, &saved);
        let (_, oracle) = self.oracles().pop().expect("a pass to run");
        assert_bits_match(&format!("{pass:?} of {}", self.case.name), &self.case, &bits, &oracle);
        if let Some(alone) = &self.alone {
            let outer = self.case.shape.outer();
            let found = run(&engine, alone, pass, self.layout, last_of(&saved, outer));
            assert_eq!(found, self.last_slab(&bits), "{pass:?} of the last slab by itself of {}", self.case.name);
        }
        Found::Recorded(bits)
    }

    /// What a pass has put out for the last slab; means of side outputs are of no slab.
    fn last_slab(&self, bits: &Bits) -> Bits {
        let outer = self.case.shape.outer();
        let of = |words: &[u32]| last_of(words, outer).to_vec();
        Bits {
            values: of(&bits.values),
            dlogits: of(&bits.dlogits),
            dtargets: of(&bits.dtargets),
            row_state: of(&bits.row_state),
            side: of(&bits.side),
        }
    }

    /// The same from host slices.
    pub fn check_evaluated(&self, name: &str, engine: &Engine) -> Vec<Output> {
        let (case, engine) = (&self.case, engine.clone().policy(self.case.policy));
        let mut outputs: Vec<Output> = Vec::new();
        for (pass, oracle) in self.oracles() {
            let what = format!("{name}: {pass:?} of {}", case.name);
            let mut inputs = case.inputs();
            inputs.dloss = inputs.dloss.filter(|_| pass != Pass::Forward);
            inputs.row_state = outputs.last().and_then(|output| output.row_state.as_deref());
            let output = engine.evaluate(&case.loss, pass, case.shape, inputs);
            let output = output.unwrap_or_else(|error| panic!("{what}: {error}"));
            assert_matches(&what, case, &output, &oracle);
            outputs.push(output);
        }
        outputs
    }

    /// The passes to run, and what they have to give.
    fn oracles(&self) -> Vec<(Pass, Evaluation)> {
        match self.pass {
            Pass::Backward => {
                let mut backward = self.case.evaluate(Pass::ForwardBackward);
                backward.values.clear();
                (backward.parts, backward.side) = (None, None);
                vec![(Pass::Forward, self.case.evaluate(Pass::Forward)), (Pass::Backward, backward)]
            }
            pass => vec![(pass, self.case.evaluate(pass))],
        }
    }
}

/// The results of a recording that is submitted twice: the same bits both times.
fn twice(engine: &GpuEngine, case: &Case, pass: Pass, layout: Layout, saved: &[u32]) -> Bits {
    let staged = Staged::new(engine, case, pass, layout, saved);
    let bound = bind(&plan(engine, case, pass), &staged);
    staged.submit(|encoder| bound.record(encoder));
    let bits = staged.read();
    staged.reset();
    staged.submit(|encoder| bound.record(encoder));
    assert_eq!(staged.read(), bits, "{pass:?} once more of {}", case.name);
    bits
}

/// The last of so many equal parts.
fn last_of(words: &[u32], parts: usize) -> &[u32] {
    &words[words.len() - words.len() / parts..]
}

/// Sizes about the seams: tiles of four, kept tiles, lanes, blocks of 64 tiles, what a lane has before another joins.
fn n_classes(classes: Classes, alignment: Alignment, turn: usize) -> usize {
    let sizes: &[usize] = match (classes, alignment) {
        (Classes::One, _) => &[1],
        (Classes::Kept, Alignment::One) => &[3, 5, 7, 9, 13, 15],
        (Classes::Kept, Alignment::Two) => &[2, 6, 10, 14],
        (Classes::Kept, Alignment::Four) => &[4, 8, 12, 16],
        (Classes::Short, Alignment::One) => &[17, 31, 33, 63],
        (Classes::Short, Alignment::Two) => &[18, 34, 62],
        (Classes::Short, Alignment::Four) => &[20, 32, 64],
        (Classes::Middle, Alignment::One) => &[65, 255, 257, 1023, 1025],
        (Classes::Middle, Alignment::Two) => &[66, 258, 1022],
        (Classes::Middle, Alignment::Four) => &[128, 256, 1024],
        (Classes::Long, Alignment::One) => &[4097, 8193],
        (Classes::Long, Alignment::Two) => &[4098, 8190],
        (Classes::Long, Alignment::Four) => &[4096, 8192],
    };
    sizes[turn % sizes.len()]
}

/// Slabs, and rows in each: several workgroups where there are many.
fn rows(rows: Rows, classes: Classes, stride: Stride, turn: usize) -> (usize, usize) {
    let many = match classes {
        Classes::One | Classes::Kept => 600,
        Classes::Short => 150,
        Classes::Middle => 12,
        Classes::Long => 7,
    };
    match (rows, stride) {
        (Rows::One, Stride::Planes) => (1, [3, 9][turn % 2]),
        (Rows::One, _) => (1, 1),
        (Rows::Few, Stride::Planes) => (2, [3, 9][turn % 2]),
        (Rows::Few, _) => ([3, 5][turn % 2], 1),
        (Rows::Many, Stride::Planes) if many > 100 => (4, 33),
        (Rows::Many, Stride::Planes) => (many / 3, 9),
        (Rows::Many, _) => (many, 1),
    }
}

fn output_len(case: &Case) -> usize {
    match case.loss.reduction() {
        _ if case.has_values_per_element() => case.shape.n_elements(),
        Some(Reduction::None) => case.shape.n_rows,
        _ => 1,
    }
}

/// No row counts.
fn empty(case: &mut Case) {
    if let (Some(&ignored), Some(labels)) = (case.loss.ignore_index().first(), &mut case.labels) {
        labels.fill(ignored);
    } else if let Some(row_weights) = &mut case.row_weights {
        row_weights.fill(0.0);
    }
}

fn laid_out(case: Case, stride: Stride, alignment: Alignment, inner: usize, in_place: bool, turn: usize) -> Case {
    let mut padding = match (stride, alignment) {
        (Stride::Contiguous, _) => return case,
        (Stride::Planes, _) if turn.is_multiple_of(2) => [0; 3],
        (Stride::Planes, _) | (Stride::Padded, Alignment::One) => [2, 1, 3],
        (Stride::Padded, Alignment::Two) => [2, 4, 6],
        (Stride::Padded, Alignment::Four) => [4, 8, 12],
    };
    if in_place {
        padding[2] = padding[0];
    }
    if stride == Stride::Planes { in_planes(&case, inner, padding) } else { padded_by(&case, padding) }
}

fn policy(corners: Corners) -> Policy {
    match corners {
        Corners::Exact | Corners::Nothing => Policy::new(),
        Corners::NothingIsZero => Policy::new().empty_mean(EmptyMean::Zero),
        Corners::PyTorch | Corners::NothingPyTorch => Policy::new().corners(Rule::PyTorch),
    }
}

fn layout(place: Place) -> Layout {
    match place {
        Place::Apart => APART,
        Place::Shifted => APART.shift(1),
        Place::Odd => APART.shift(2).odd(),
        Place::Arena => ARENA,
        Place::ShiftedArena => ARENA.shift(1),
        Place::TightArena => ARENA.odd().tight(),
    }
}

/// Which share of the proof a loss belongs to.
pub fn family_name(loss: &Loss) -> &'static str {
    match loss.family() {
        Family::Softmax => "softmax",
        Family::ClassIndex => "class_index",
        Family::GivenLogProb => "given_log_prob",
        Family::Distribution { .. } => "distribution",
        Family::Distillation { .. } => "distillation",
        Family::RowEntropy => "row_entropy",
        Family::Elementwise => "elementwise",
    }
}
