use std::borrow::Cow;

use super::short_rows::ShortRows;
use super::side;
use super::softmax::Softmax;
use crate::inputs::{Inputs, Numbers, Targets};
use crate::loss::Divisor;
use crate::validate::{Extent, Problem};
use crate::{Shape, Side};

/// A row's slices of the results; those that a pass does not write are empty. Classes lie side by side.
pub(super) struct RowOut<'a> {
    /// One value for the row, or one per class.
    pub values: &'a mut [f32],
    /// The parts of a sum.
    pub parts: &'a mut [f32],
    pub dlogits: &'a mut [f32],
    pub dtargets: &'a mut [f32],
    pub state: &'a mut [f32],
    /// Words as kernels write them.
    pub side: &'a mut [u32],
}

/// The results of [`Rows::side_by_side`].
pub(super) struct GroupOut<'a> {
    /// A number a row.
    pub values: &'a mut [f32],
    pub state: &'a mut [f32],
    pub wants_gradient: bool,
}

impl RowOut<'_> {
    /// A row that adds nothing to the loss, with this state.
    pub fn silence(self, state: &[f32]) {
        for slice in [self.values, self.parts, self.dlogits, self.dtargets] {
            slice.fill(0.0);
        }
        self.side.fill(0);
        let state = state.iter().copied().chain(std::iter::repeat(0.0));
        self.state.iter_mut().zip(state).for_each(|(place, number)| *place = number);
    }

    /// A row that has no value.
    pub fn poison(self, side: &Side) {
        for slice in [self.values, self.parts, self.dlogits, self.dtargets, self.state] {
            slice.fill(f32::NAN);
        }
        side::poison(side, self.side);
    }
}

/// One way from a row to its results.
pub(super) trait Rows: Sync {
    /// Row `n`, whose logits are `x`; its softmax may be `found` already, exponentials in place of the gradient.
    fn row(&self, n: usize, x: &[f32], found: Option<Softmax>, scratch: &mut Scratch, out: RowOut<'_>);

    /// 1/T of the softmax that a row begins with, for losses which take it from [`ShortRows`].
    fn begins_with_softmax(&self) -> Option<f32> {
        None
    }

    /// Short rows from `n` on, whose softmaxes are found, side by side: puts their gradients in their exponentials' place
    /// if those are wanted. Returns which have their results, a bit each; the others go by [`Rows::row`].
    fn side_by_side(&self, _n: usize, _x: &Group<'_>, _rows: &mut ShortRows, _out: GroupOut<'_>) -> u32 {
        0
    }
}

/// What a thread keeps between rows.
#[derive(Default)]
pub(super) struct Scratch {
    /// Capped logits, and those of a teacher.
    pub capped: Vec<f32>,
    pub capped_targets: Vec<f32>,
    /// Exponentials, where there is no gradient whose place they could take.
    pub exponentials: Vec<f32>,
    /// Rows of other tensors, where they do not lie side by side.
    pub targets: Vec<f32>,
    /// What is kept of each class of a divergence, as [`super::Columns`] has it.
    pub columns: [Vec<f64>; 5],
    /// P of a teacher that names its classes.
    pub named: Vec<f64>,
    pub weights: Vec<f32>,
    pub dloss: Vec<f32>,
    /// The second gradient of a sum.
    pub soft_gradient: Vec<f32>,
}

/// A tensor with one number per class, row by row.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub numbers: Numbers<'a>,
    /// Elements between rows, or slabs.
    pub stride: usize,
}

impl<'a> Reader<'a> {
    /// Row `n` as f32, side by side: where it lies if it lies so, in `room` otherwise.
    #[inline(always)]
    pub fn row<'b>(&self, shape: &Shape, n: usize, room: &'b mut Vec<f32>) -> &'b [f32]
    where
        'a: 'b,
    {
        self.group(shape, n, 1, room).row(0)
    }

    /// The same for `n_rows` rows from `n` on.
    #[inline(always)]
    pub fn group<'b>(&self, shape: &Shape, n: usize, n_rows: usize, room: &'b mut Vec<f32>) -> Group<'b>
    where
        'a: 'b,
    {
        let n_classes = shape.n_classes;
        match self.numbers {
            Numbers::F32(numbers) if shape.inner == 1 => {
                return Group { numbers: &numbers[n * self.stride..], distance: self.stride, n_rows, n_classes };
            }
            _ => room.clear(),
        }
        for n in n..n + n_rows {
            let places = (shape.place(self.stride, n, 0)..).step_by(shape.inner).take(shape.n_classes);
            match self.numbers {
                Numbers::F32(numbers) => room.extend(places.map(|i| numbers[i])),
                Numbers::Bf16(numbers) => room.extend(places.map(|i| numbers[i].to_f32())),
                Numbers::F16(numbers) => room.extend(places.map(|i| numbers[i].to_f32())),
            }
        }
        Group { numbers: room, distance: n_classes, n_rows, n_classes }
    }
}

/// Rows that follow each other, classes side by side.
pub(super) struct Group<'a> {
    numbers: &'a [f32],
    /// Elements between rows.
    distance: usize,
    pub n_rows: usize,
    pub n_classes: usize,
}

impl<'a> Group<'a> {
    #[inline(always)]
    pub fn row(&self, i: usize) -> &'a [f32] {
        &self.numbers[i * self.distance..][..self.n_classes]
    }
}

/// What inputs say of rows as wholes.
pub(super) struct PerRow<'a> {
    n_classes: usize,
    labels: Cow<'a, [i32]>,
    row_weights: Option<&'a [f32]>,
    /// Labels of rows that do not count.
    ignored: &'a [i32],
    /// What a forward pass saved, for a pass that starts from it: so many numbers a row, those of the first part of a sum
    /// before those of the second.
    row_state: Option<(&'a [f32], usize)>,
    first_saved: usize,
    dloss: Dloss<'a>,
    /// Whether corners are as in PyTorch.
    pub pytorch: bool,
}

/// Upstream gradient.
enum Dloss<'a> {
    /// For all rows.
    One(Upstream),
    /// One number a row, and the rest of what that is part of.
    PerRow(&'a [f32], Upstream),
}

/// How a row counts.
pub(super) enum Standing {
    /// Its weight is 0.
    Silent,
    /// Its label is ignored.
    Ignored,
    /// Its label is no class, or its weight no number.
    Poisoned,
    /// With this weight, for this class if rows have labels.
    Kept { weight: f64, class: usize },
}

impl<'a> PerRow<'a> {
    /// Of a problem whose divisors are numbers.
    pub fn new(problem: &'a Problem, inputs: &Inputs<'a>) -> Self {
        let labels = match inputs.targets {
            Targets::ClassIndex(labels) if problem.spec().family().has_labels() => labels.read(),
            _ => Cow::default(),
        };
        let upstream = Upstream::new(1.0, known(problem.divisor()), problem.has_pytorch_corners());
        let dloss = match (inputs.dloss, problem.extent()) {
            (Some(Numbers::F32(dloss)), Extent::Scalar) => Dloss::One(upstream.times(dloss[0])),
            (Some(Numbers::F32(dloss)), Extent::Row) => Dloss::PerRow(dloss, upstream),
            _ => Dloss::One(upstream),
        };
        PerRow {
            n_classes: problem.shape.n_classes,
            labels,
            row_weights: inputs.row_weights,
            ignored: problem.spec().ignore_index(),
            row_state: inputs.row_state.filter(|_| problem.reads_state()).map(|state| (state, problem.state_width())),
            first_saved: 0,
            dloss,
            pytorch: problem.has_pytorch_corners(),
        }
    }

    #[inline(always)]
    pub fn standing(&self, n: usize) -> Standing {
        let weight = self.row_weights.map_or(1.0, |row_weights| row_weights[n]);
        let label = self.labels.get(n).copied();
        let class = label.map_or(Some(0), |label| usize::try_from(label).ok());
        match class.filter(|&class| class < self.n_classes) {
            _ if weight == 0.0 => Standing::Silent,
            _ if label.is_some_and(|label| self.ignored.contains(&label)) => Standing::Ignored,
            Some(class) if weight.is_finite() => Standing::Kept { weight: weight.into(), class },
            _ => Standing::Poisoned,
        }
    }

    /// What a forward pass saved of a row, if it starts from that.
    #[inline(always)]
    pub fn saved(&self, n: usize) -> Option<&'a [f32]> {
        self.row_state.map(|(state, width)| &state[n * width..][self.first_saved..width])
    }

    /// The same for the part of a sum whose saved numbers start there.
    pub fn saved_from(self, first_saved: usize) -> Self {
        PerRow { first_saved, ..self }
    }

    /// The same with 1 from upstream and nothing to divide by: for the parts of a sum.
    pub fn undivided(self) -> Self {
        PerRow { dloss: Dloss::One(Upstream::new(1.0, 1.0, self.pytorch)), ..self }
    }

    /// Whether rows start from what a forward pass saved.
    pub fn reads_state(&self) -> bool {
        self.row_state.is_some()
    }

    /// The upstream gradient over the divisor, where a row has one number of it.
    #[inline(always)]
    pub fn upstream(&self, n: usize) -> Upstream {
        match &self.dloss {
            Dloss::One(upstream) => *upstream,
            Dloss::PerRow(dloss, upstream) => upstream.times(dloss[n]),
        }
    }
}

/// What a row's gradient is multiplied by.
#[derive(Clone, Copy)]
pub(super) struct Upstream {
    dloss: f64,
    divisor: f64,
    /// Whether a gradient over nothing is NaN.
    pytorch: bool,
    /// One factor for all classes, if it is one that leaves a gradient of 0 as it is.
    factor: Option<f64>,
}

impl Upstream {
    /// The upstream gradient over the losses' divisor.
    fn new(dloss: f64, divisor: f64, pytorch: bool) -> Self {
        let factor = dloss / divisor;
        let is_plain = divisor != 0.0 && (factor as f32).is_finite();
        Upstream { dloss, divisor, pytorch, factor: is_plain.then_some(factor) }
    }

    /// [`Upstream::apply`] as one factor, where it is one.
    #[inline(always)]
    pub fn factor(&self) -> Option<f64> {
        self.factor
    }

    /// Multiplies a gradient in which [`Upstream::factor`] is not yet.
    #[inline(always)]
    pub fn finish(&self, gradient: &mut [f32]) {
        if self.factor().is_none() {
            gradient.iter_mut().for_each(|g| *g = self.apply((*g).into()));
        }
    }

    /// Multiplies a gradient that has nothing of it.
    #[inline(always)]
    pub fn finish_all(&self, gradient: &mut [f32]) {
        match self.factor() {
            Some(factor) => gradient.iter_mut().for_each(|g| *g = (f64::from(*g) * factor) as f32),
            None => self.finish(gradient),
        }
    }

    /// The same with an upstream gradient of one element.
    pub fn times(self, dloss: f32) -> Upstream {
        Upstream::new(dloss.into(), self.divisor, self.pytorch)
    }

    /// The gradient of one class. Where there is none, none flows, whatever comes from upstream; over nothing there is
    /// none either.
    pub fn apply(&self, gradient: f64) -> f32 {
        match gradient {
            g if g.is_nan() => f32::NAN,
            _ if self.divisor == 0.0 && self.pytorch => f32::NAN,
            _ if self.divisor == 0.0 => 0.0,
            0.0 => 0.0,
            g => (g * self.dloss / self.divisor) as f32,
        }
    }
}

/// A divisor that is a number, as all are once the tensors are at hand.
pub(super) fn known(divisor: Divisor) -> f64 {
    match divisor {
        Divisor::Number(number) => number,
        Divisor::Input | Divisor::Kept { .. } => f64::NAN,
    }
}
