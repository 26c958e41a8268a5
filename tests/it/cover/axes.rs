//! The attributes of a case, and which of them may meet. A loss says itself what it takes: an attribute that its
//! builders lack, or that [`Problem::new`] refuses, is none of its own.

use std::cell::RefCell;
use std::collections::HashMap;

use surprisal::{
    Broadcast, Family, Form, KlDivergence, Loss, Pass, Problem, Reduction, Rest, RowWeights, Shape, Storage, TargetKind,
};

use super::array::{Feature, Group, Partial, Rules};
use super::options::{
    IGNORED, scaled, set, set_soft, with_factors, with_ignored, with_poly1, with_row_weights, with_side,
    with_smoothing, with_softcap, with_temperature, with_z_loss,
};
use crate::storage::{MIXES, Mix};
use crate::support::bare::bare_losses;
use crate::support::spec::{REDUCTIONS, sized};

/// What a case is told apart by. Losses come first: most of the rules ask them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Axis {
    Loss,
    Pass,
    Reduction,
    Temperature,
    Softcap,
    Extras,
    Smoothing,
    Factors,
    Ignored,
    RowWeights,
    Side,
    Weights,
    Engine,
    Way,
    Storage,
    WideLabels,
    Rows,
    Classes,
    Alignment,
    Stride,
    Place,
    InPlace,
    Upstream,
    Corners,
    Numbers,
}

pub const N_AXES: usize = Axis::Numbers as usize + 1;

pub const PASSES: [Pass; 3] = [Pass::Forward, Pass::ForwardBackward, Pass::Backward];

/// With the last, a divergence is scaled by T^2 where that is an option of its.
pub const TEMPERATURES: [f32; 3] = [1.0, 0.75, 3.0];

const ROW_WEIGHTS: [Option<RowWeights>; 4] =
    [None, Some(RowWeights::Scale), Some(RowWeights::Mask), Some(RowWeights::Count)];

/// Terms that no class weight touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extras {
    None,
    ZLoss,
    Poly1,
    Both,
}

/// Factors per class: class weights, alpha, pos_weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Factors {
    None,
    One,
    Each,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sides {
    None,
    Each,
    Mean,
}

/// The kernels' variant, and how many lanes there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lanes {
    Workgroup,
    Subgroup,
    /// Workgroups as a GPU has them.
    Workgroup256,
    Subgroup256,
    /// Four lanes a row, whatever its length: tiles of a row kept by several lanes.
    WorkgroupBy4,
    SubgroupBy4,
    /// With run-time checks.
    CheckedWorkgroup,
    CheckedSubgroup,
}

/// How a case gets to its device, and what that device grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Recorded, as an app does.
    Recorded,
    /// Recorded with bindings of about a third of the rows.
    Windows,
    /// Recorded with bindings of one row or slab.
    NarrowWindows,
    /// Recorded with bindings of about half a row or slab.
    ClassWindows,
    /// Recorded with two workgroups a dimension.
    Groups,
    /// From host slices.
    Host,
    /// From host slices, with buffers of about a third of the rows.
    Runs,
}

impl Way {
    pub fn is_recorded(self) -> bool {
        !matches!(self, Way::Host | Way::Runs)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    One,
    Few,
    Many,
}

/// Classes of a row: one, as many as a lane keeps, more, more than a block of tiles has, more than a lane has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Classes {
    One,
    Kept,
    Short,
    Middle,
    Long,
}

/// What classes, strides and offsets are multiples of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alignment {
    One,
    Two,
    Four,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stride {
    Contiguous,
    Padded,
    Planes,
}

/// Where slices start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    Apart,
    /// One word after a multiple of four.
    Shifted,
    /// Two words after one, 16-bit numbers in the middle of a word.
    Odd,
    /// All in one buffer.
    Arena,
    ShiftedArena,
    /// All in one buffer and side by side.
    TightArena,
}

/// The policy, and whether any row counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Corners {
    Exact,
    PyTorch,
    /// Nothing counts: a mean is NaN, or 0, or what PyTorch has.
    Nothing,
    NothingIsZero,
    NothingPyTorch,
}

impl Corners {
    pub fn is_empty(self) -> bool {
        !matches!(self, Corners::Exact | Corners::PyTorch)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Standard deviation 3.
    Near,
    /// Standard deviation 30: most probabilities underflow.
    Far,
    /// Masks, rows without a value, equal logits.
    Edge,
    /// Classes masked by the lowest number.
    Lowest,
}

pub const EXTRAS: [Extras; 4] = [Extras::None, Extras::ZLoss, Extras::Poly1, Extras::Both];
pub const FACTORS: [Factors; 3] = [Factors::None, Factors::One, Factors::Each];
pub const SIDES: [Sides; 3] = [Sides::None, Sides::Each, Sides::Mean];
pub const WEIGHTS: [Option<Broadcast>; 4] =
    [None, Some(Broadcast::PerRow), Some(Broadcast::PerClass), Some(Broadcast::PerElement)];
pub const LANES: [Lanes; 8] = [
    Lanes::Workgroup,
    Lanes::Subgroup,
    Lanes::Workgroup256,
    Lanes::Subgroup256,
    Lanes::WorkgroupBy4,
    Lanes::SubgroupBy4,
    Lanes::CheckedWorkgroup,
    Lanes::CheckedSubgroup,
];
pub const WAYS: [Way; 7] =
    [Way::Recorded, Way::Windows, Way::NarrowWindows, Way::ClassWindows, Way::Groups, Way::Host, Way::Runs];
pub const ROWS: [Rows; 3] = [Rows::Few, Rows::One, Rows::Many];
pub const CLASSES: [Classes; 5] = [Classes::Kept, Classes::One, Classes::Short, Classes::Middle, Classes::Long];
pub const ALIGNMENTS: [Alignment; 3] = [Alignment::One, Alignment::Two, Alignment::Four];
pub const STRIDES: [Stride; 3] = [Stride::Contiguous, Stride::Padded, Stride::Planes];
pub const PLACES: [Place; 6] =
    [Place::Apart, Place::Shifted, Place::Odd, Place::Arena, Place::ShiftedArena, Place::TightArena];
pub const CORNERS: [Corners; 5] =
    [Corners::Exact, Corners::PyTorch, Corners::Nothing, Corners::NothingIsZero, Corners::NothingPyTorch];
pub const NUMBERS: [Numbers; 4] = [Numbers::Near, Numbers::Far, Numbers::Edge, Numbers::Lowest];

/// f32 throughout, or one of the mixes.
pub fn mix(level: usize) -> Mix {
    level.checked_sub(1).map_or(Mix(Storage::F32, Storage::F32, Storage::F32), |mix| MIXES[mix])
}

/// Every axis's features, their combinations, and what may meet.
pub struct Table {
    pub losses: Vec<Loss>,
    levels: Vec<usize>,
    pub features: Vec<Feature>,
    pub groups: Vec<Group>,
    /// Whether a loss takes its options, by their levels.
    known: RefCell<HashMap<u64, bool>>,
}

impl Table {
    pub fn new() -> Self {
        let losses = bare_losses();
        let mut levels = vec![0; N_AXES];
        let of = [
            (Axis::Loss, losses.len()),
            (Axis::Pass, PASSES.len()),
            (Axis::Reduction, REDUCTIONS.len()),
            (Axis::Temperature, TEMPERATURES.len()),
            (Axis::Softcap, 2),
            (Axis::Extras, EXTRAS.len()),
            (Axis::Smoothing, 3),
            (Axis::Factors, FACTORS.len()),
            (Axis::Ignored, IGNORED.len()),
            (Axis::RowWeights, ROW_WEIGHTS.len()),
            (Axis::Side, SIDES.len()),
            (Axis::Weights, WEIGHTS.len()),
            (Axis::Engine, LANES.len()),
            (Axis::Way, WAYS.len()),
            (Axis::Storage, 1 + MIXES.len()),
            (Axis::WideLabels, 2),
            (Axis::Rows, ROWS.len()),
            (Axis::Classes, CLASSES.len()),
            (Axis::Alignment, ALIGNMENTS.len()),
            (Axis::Stride, STRIDES.len()),
            (Axis::Place, PLACES.len()),
            (Axis::InPlace, 2),
            (Axis::Upstream, 2),
            (Axis::Corners, CORNERS.len()),
            (Axis::Numbers, NUMBERS.len()),
        ];
        of.into_iter().for_each(|(axis, n)| levels[axis as usize] = n);
        let mut table = Table { losses, levels, features: Vec::new(), groups: Vec::new(), known: RefCell::default() };
        table.ask_for_combinations();
        table
    }

    fn feature(&mut self, axis: Axis, class_of: impl Fn(usize) -> usize) -> usize {
        self.features.push(Feature::new(axis as usize, self.levels[axis as usize], class_of));
        self.features.len() - 1
    }

    fn loss_feature<K: PartialEq>(&mut self, of: impl Fn(&Loss) -> K) -> usize {
        let mut kinds = Vec::new();
        let classes: Vec<usize> = self
            .losses
            .iter()
            .map(|loss| {
                let kind = of(loss);
                kinds.iter().position(|known| *known == kind).unwrap_or_else(|| {
                    kinds.push(kind);
                    kinds.len() - 1
                })
            })
            .collect();
        self.feature(Axis::Loss, |level| classes[level])
    }

    /// All pairs of levels, a loss counting by its name; every program in every pass, on either variant, by row and
    /// reduced; all triples of what meets in a kernel; and for each name all pairs of options and of what they may be
    /// mistaken in.
    fn ask_for_combinations(&mut self) {
        let name = self.loss_feature(kind_name);
        let teacher = self.loss_feature(teacher_of);
        let soft = self.loss_feature(|loss| match loss.family() {
            Family::Distillation { soft, .. } => soft,
            _ => "",
        });
        let whole: Vec<usize> = (1..N_AXES)
            .map(|axis| {
                let n = self.levels[axis];
                self.features.push(Feature::new(axis, n, |level| level));
                self.features.len() - 1
            })
            .collect();
        let of_axis = |axis: Axis| whole[axis as usize - 1];
        for (i, &a) in [name, teacher, soft].iter().chain(&whole).enumerate() {
            for &b in [name, teacher, soft].iter().chain(&whole).skip(i + 1) {
                if self.features[a].axis != self.features[b].axis {
                    self.groups.push(vec![a, b]);
                }
            }
        }
        let program = self.loss_feature(|loss| loss.clone());
        let variant = self.feature(Axis::Engine, |level| level % 2);
        let by_row = self.feature(Axis::Reduction, |level| usize::from(REDUCTIONS[level] != Reduction::None));
        for other in [of_axis(Axis::Pass), by_row, variant] {
            self.groups.push(vec![program, other]);
        }
        let has_side = self.feature(Axis::Side, |level| usize::from(level > 0));
        let is_packed = self.feature(Axis::Storage, |level| usize::from(level > 0));
        let is_strided = self.feature(Axis::Stride, |level| usize::from(STRIDES[level] == Stride::Planes));
        let is_arena = self.feature(Axis::Place, |level| usize::from(PLACES[level] as usize >= Place::Arena as usize));
        let is_cut = self.feature(Axis::Way, |level| usize::from(WAYS[level] == Way::ClassWindows));
        let in_kernel = [
            name,
            teacher,
            soft,
            of_axis(Axis::Pass),
            by_row,
            has_side,
            variant,
            is_packed,
            is_strided,
            is_cut,
            of_axis(Axis::Alignment),
            of_axis(Axis::Classes),
            is_arena,
            of_axis(Axis::InPlace),
        ];
        self.ask_for_triples(&in_kernel, |_| true);
        let options = [
            name,
            by_row,
            of_axis(Axis::Temperature),
            of_axis(Axis::Softcap),
            of_axis(Axis::Extras),
            of_axis(Axis::Smoothing),
            of_axis(Axis::Factors),
            of_axis(Axis::Ignored),
            of_axis(Axis::RowWeights),
            of_axis(Axis::Side),
            of_axis(Axis::Weights),
            of_axis(Axis::Upstream),
            of_axis(Axis::Corners),
            of_axis(Axis::Numbers),
        ];
        self.ask_for_triples(&options, |first| first == name);
    }

    /// Triples of features of three axes, whose first is one of these.
    fn ask_for_triples(&mut self, features: &[usize], is_first: impl Fn(usize) -> bool) {
        for (i, &a) in features.iter().enumerate().filter(|(_, a)| is_first(**a)) {
            for (k, &b) in features.iter().enumerate().skip(i + 1) {
                for &c in &features[k + 1..] {
                    let axes = [a, b, c].map(|f| self.features[f].axis);
                    if axes[0] != axes[1] && axes[1] != axes[2] && axes[0] != axes[2] {
                        self.groups.push(vec![a, b, c]);
                    }
                }
            }
        }
    }

    /// The loss with the options whose levels are known; none if it lacks one. Class vectors are for `n_classes`.
    pub fn loss(&self, row: &Partial, n_classes: usize) -> Option<Loss> {
        let level = |axis: Axis| row[axis as usize].unwrap_or(0);
        let mut loss = self.losses[row[Axis::Loss as usize]?].clone();
        if let Some(reduction) = row[Axis::Reduction as usize].map(|level| REDUCTIONS[level]) {
            match loss.reduction() {
                None if reduction != Reduction::None => return None,
                _ => loss = loss.with_reduction(reduction),
            }
        }
        let t = TEMPERATURES[level(Axis::Temperature)];
        if t != 1.0 {
            let of_t = |loss| with_temperature(loss, t).map(|loss| if t > 1.0 { scaled(loss) } else { loss });
            loss = set_soft(set(loss, of_t)?, |loss| with_temperature(loss, 2.0 * t).map(scaled))?;
        }
        if level(Axis::Softcap) == 1 {
            loss = set_soft(set(loss, with_softcap)?, with_softcap)?;
        }
        let extras = EXTRAS[level(Axis::Extras)];
        if matches!(extras, Extras::ZLoss | Extras::Both) {
            loss = set(loss, with_z_loss)?;
        }
        if matches!(extras, Extras::Poly1 | Extras::Both) {
            loss = set(loss, with_poly1)?;
        }
        loss = set(loss, |loss| with_smoothing(loss, level(Axis::Smoothing)))?;
        loss = set(loss, |loss| with_factors(loss, FACTORS[level(Axis::Factors)]))?;
        loss = set(loss, |loss| with_ignored(loss, IGNORED[level(Axis::Ignored)]))?;
        if let Some(row_weights) = ROW_WEIGHTS[level(Axis::RowWeights)] {
            loss = set(loss, |loss| with_row_weights(loss, row_weights))?;
        }
        let sides = SIDES[level(Axis::Side)];
        if sides != Sides::None {
            loss = set(loss, |loss| with_side(loss, sides, n_classes))?;
        }
        Some(sized(loss, n_classes))
    }

    fn takes_its_options(&self, row: &Partial) -> bool {
        let one_class = row[Axis::Classes as usize].map(|level| usize::from(CLASSES[level] == Classes::One));
        let options = (0..=Axis::Side as usize).filter(|&axis| axis != Axis::Pass as usize).map(|axis| row[axis]);
        let key = options.chain([one_class]).fold(0, |key, level| key << 4 | level.map_or(15, |level| level as u64));
        if let Some(&known) = self.known.borrow().get(&key) {
            return known;
        }
        let n_classes = if one_class == Some(1) { 1 } else { 6 };
        let is_sound = |loss: Loss| Problem::new(loss, Pass::Forward, Shape::new(2, n_classes)).is_ok();
        let known = self.loss(row, n_classes).is_some_and(is_sound);
        self.known.borrow_mut().insert(key, known);
        known
    }

    /// What a loss takes apart from its options.
    fn takes_its_tensors(&self, row: &Partial) -> bool {
        let Some(loss) = row[Axis::Loss as usize].map(|level| &self.losses[level]) else { return true };
        let is = |axis: Axis, level: usize| row[axis as usize] == Some(level);
        let is_elementwise = matches!(loss, Loss::BinaryCrossEntropy(_) | Loss::SigmoidFocal(_));
        let has_labels = matches!(loss.targets(), TargetKind::ClassIndex | TargetKind::TopK);
        let weights = row[Axis::Weights as usize].unwrap_or(0);
        let has_pass = !is(Axis::Pass, 0) && row[Axis::Pass as usize].is_some();
        let of_softmax = loss.input() == Form::Logits && loss.family() != Family::Elementwise;
        // In another reduction it is the program of the loss by row.
        let is_per_class = matches!(loss, Loss::KlDivergence(kl) if kl.kind.per_element);
        let reduces = row[Axis::Reduction as usize].is_some_and(|level| level > 0);
        (weights == 0 || is_elementwise)
            && !(is_per_class && reduces)
            && (!is(Axis::WideLabels, 1) || has_labels)
            && !(loss.family() == Family::Softmax && has_pass && is(Axis::Upstream, 0))
            && (!is(Axis::Numbers, Numbers::Lowest as usize) || of_softmax)
    }
}

/// Whether numbers of this level are for rows or elements one by one.
fn at_the_edge(level: usize) -> bool {
    matches!(NUMBERS[level], Numbers::Edge | Numbers::Lowest)
}

/// A loss's name, and what else a kernel of its is told apart by.
fn kind_name(loss: &Loss) -> (&'static str, bool, bool, Form) {
    let of_kl = |f: fn(&KlDivergence) -> bool| matches!(loss, Loss::KlDivergence(kl) if f(kl));
    let (name, student) = match loss.family() {
        Family::Distillation { hard, .. } => (hard, Form::Probs),
        Family::Distribution { student, .. } => (loss.name(), student),
        _ => (loss.name(), Form::Logits),
    };
    (name, of_kl(|kl| kl.kind.per_element), of_kl(|kl| kl.kind.teacher_gradient), student)
}

/// What its teacher is given as, and how many of its classes.
fn teacher_of(loss: &Loss) -> Option<(Form, Option<Rest>)> {
    let rest = loss.top_k().map(|top_k| top_k.rest);
    match loss.family() {
        Family::Distribution { teacher, .. } | Family::Distillation { teacher, .. } => Some((teacher, rest)),
        _ => None,
    }
}

impl Rules for Table {
    fn levels(&self) -> &[usize] {
        &self.levels
    }

    fn allows(&self, row: &Partial) -> bool {
        let is = |axis: Axis, level: usize| row[axis as usize] == Some(level);
        let is_set = |axis: Axis| row[axis as usize].is_some_and(|level| level > 0);
        let way = row[Axis::Way as usize].map(|level| WAYS[level]);
        let stride = row[Axis::Stride as usize].map(|level| STRIDES[level]);
        let classes = row[Axis::Classes as usize].map(|level| CLASSES[level]);
        let corners = row[Axis::Corners as usize].map(|level| CORNERS[level]);
        let loss = row[Axis::Loss as usize].map(|level| &self.losses[level]);
        let takes = |option: fn(Loss) -> Option<Loss>| loss.is_none_or(|loss| set(loss.clone(), option).is_some());
        let may_ignore = || match row[Axis::Ignored as usize] {
            Some(level) => level > 0,
            None => takes(|loss| with_ignored(loss, IGNORED[1])),
        };
        let may_mask = || match row[Axis::RowWeights as usize] {
            Some(level) => level >= 2,
            None => takes(|loss| with_row_weights(loss, RowWeights::Mask)),
        };
        let by_row = row[Axis::Reduction as usize].is_none_or(|level| REDUCTIONS[level] == Reduction::None);
        // Recording has places, host slices have none.
        let placed = is_set(Axis::Place) || is_set(Axis::InPlace);
        // Numbers per class are bound whole, wherever a row is cut: in planes they are few beside it.
        let per_class = is(Axis::Factors, Factors::Each as usize) || is(Axis::Weights, 2);
        let cut = way == Some(Way::ClassWindows);
        // Where T < 1 takes the lowest number to -inf, PyTorch's KL of it is NaN, in f32 and in the oracle, and the device's
        // is not; and where a teacher that names its classes gives such a class mass, the loss is beyond f32, and the
        // device's is what the lowest number makes of it: differences that are known and not mended.
        let (sharpened, pytorch) =
            (is(Axis::Temperature, 1), matches!(corners, Some(Corners::PyTorch | Corners::NothingPyTorch)));
        let names_classes = loss.is_some_and(|loss| loss.top_k().is_some());
        !(is(Axis::Pass, 0) && (is_set(Axis::InPlace) || is_set(Axis::Upstream)))
            && !(placed && way.is_some_and(|way| !way.is_recorded()))
            && !(matches!(way, Some(Way::Windows | Way::NarrowWindows | Way::Runs | Way::Groups)) && is(Axis::Rows, 1))
            && !(cut && matches!(classes, Some(Classes::One | Classes::Kept | Classes::Short)))
            && !(cut && per_class && (stride.is_some_and(|stride| stride != Stride::Planes) || is_set(Axis::Alignment)))
            && !(stride == Some(Stride::Planes) && is_set(Axis::Alignment))
            && !(classes == Some(Classes::One) && is_set(Axis::Alignment))
            && !(row[Axis::Numbers as usize].is_some_and(at_the_edge) && (!by_row || classes == Some(Classes::One)))
            && !(corners.is_some_and(Corners::is_empty) && !may_ignore() && !may_mask())
            && !(is(Axis::Numbers, Numbers::Lowest as usize) && sharpened && (pytorch || names_classes))
            && self.takes_its_tensors(row)
            && (loss.is_none() || self.takes_its_options(row))
    }
}
