//! The same calls in f64: plain loops, the oracle of every test.

mod class_index;
mod distillation;
mod distribution;
mod elementwise;
mod entropy;
mod given_log_prob;
mod real;
mod softmax;
mod tensors;
mod top_k;

pub use real::Real;

use std::borrow::Cow;

use crate::inputs::{Broadcast, Inputs, Output};
use crate::kernel::Slot;
use crate::loss::{Divisor, Family, Maths, RowWeights, Spec};
use crate::validate::{Extent, Problem};
use crate::{Side, SideOutputs, Storage};
use distillation::Parts;
use softmax::{LogitMap, Softmax};
use tensors::Tensors;

/// An operation's results in f64, each with its [`Real::rounding`].
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Evaluation {
    /// As [`Output::values`].
    pub values: Vec<Real>,
    /// As [`Output::parts`].
    pub parts: Option<Vec<[Real; 3]>>,
    /// As [`Output::dlogits`].
    pub dlogits: Option<Vec<Real>>,
    /// As [`Output::dtargets`].
    pub dtargets: Option<Vec<Real>>,
    /// As [`Output::row_state`].
    pub row_state: Option<Vec<Real>>,
    /// As the words of [`crate::Buffers::side`], with what was asked for; an argmax is a number like the others.
    pub side: Option<(Side, Vec<Real>)>,
    /// How a device stores values, dlogits and dtargets.
    pub storage: [Storage; 3],
}

/// One row before reduction; from a family also before upstream gradient and divisor.
#[derive(Default)]
struct Row {
    /// One value for the row, or one per class.
    pub values: Vec<Real>,
    /// The parts of a sum.
    pub parts: Vec<Real>,
    pub gradient: Vec<Real>,
    /// With respect to the targets, where that is wanted.
    pub teacher_gradient: Vec<Real>,
    pub state: Vec<Real>,
    pub side: Vec<Real>,
}

impl Row {
    /// A row of one loss, without side outputs.
    fn new(values: Vec<Real>, gradient: Vec<Real>, state: Vec<Real>) -> Row {
        Row { values, gradient, state, ..Row::default() }
    }

    /// A row that has no value.
    fn poisoned(problem: &Problem) -> Row {
        let n_values = if problem.extent() == Extent::Element { problem.shape.n_classes } else { 1 };
        Row {
            values: vec![Real::NAN; n_values],
            parts: vec![Real::NAN; n_parts(problem)],
            gradient: vec![Real::NAN; problem.shape.n_classes],
            state: vec![Real::NAN; problem.state_width()],
            side: vec![Real::NAN; problem.spec().rows().side.width()],
            ..Row::default()
        }
    }

    /// A row that does not count.
    fn silent(problem: &Problem) -> Row {
        Row {
            values: vec![Real::ZERO; row_width(problem)],
            parts: vec![Real::ZERO; n_parts(problem)],
            gradient: vec![Real::ZERO; problem.shape.n_classes],
            state: vec![Real::ZERO; problem.state_width()],
            side: vec![Real::ZERO; problem.spec().rows().side.width()],
            ..Row::default()
        }
    }

    /// Loss and gradient times the row's weight.
    fn weighed(mut self, weight: f32) -> Row {
        for number in self.values.iter_mut().chain(&mut self.parts).chain(&mut self.gradient) {
            *number = *number * weight;
        }
        self
    }
}

/// Evaluates host tensors. Lengths must fit the problem; labels out of range poison their row, as on a device.
pub fn evaluate(problem: &Problem, inputs: &Inputs<'_>) -> Evaluation {
    let (shape, batch) = (&problem.shape, Batch::new(problem, inputs));
    let (mut values, mut parts, mut side) = (Vec::new(), Vec::new(), Vec::new());
    let mut dlogits = vec![Real::ZERO; shape.dlogits_len()];
    let mut dtargets = vec![Real::ZERO; shape.dtargets_len()];
    let mut row_state = Vec::new();
    for n in 0..shape.n_rows {
        let row = batch.row(n);
        for (c, &g) in row.gradient.iter().enumerate() {
            dlogits[shape.place(shape.dlogits_stride, n, c)] = g;
        }
        for (c, &g) in row.teacher_gradient.iter().enumerate() {
            dtargets[shape.place(shape.dtargets_stride, n, c)] = g;
        }
        values.extend(row.values);
        parts.extend(row.parts.chunks_exact(3).map(|part| [part[0], part[1], part[2]]));
        row_state.extend(row.state);
        side.extend(row.side);
    }
    if problem.spec().rows().side.mean {
        let width = problem.spec().rows().side.width();
        let column = |c| Real::sum(side.iter().copied().skip(c).step_by(width));
        side = (0..width).map(|c| mean(problem, column(c), batch.kept)).collect();
    }
    if problem.extent() == Extent::Scalar && batch.sum.is_some() {
        let part = |i: usize| Real::sum(parts.iter().map(|part| part[i]));
        let divisors = part_divisors(problem, batch.divisor, batch.kept);
        parts = vec![[0, 1, 2].map(|i| mean(problem, part(i), divisors[i]))];
    }
    let reduced = || mean(problem, Real::sum(values.iter().copied()), batch.divisor);
    let values = match problem.extent() {
        Extent::Element => laid_out(problem, &values),
        Extent::Row => values.chunks(row_width(problem)).map(|row| Real::sum(row.iter().copied())).collect(),
        Extent::Scalar => vec![reduced()],
    };
    Evaluation {
        values: if problem.writes_values() { values } else { Vec::new() },
        parts: batch.sum.filter(|_| problem.writes_values()).map(|_| parts),
        dlogits: problem.writes_dlogits().then_some(dlogits),
        dtargets: problem.writes_dtargets().then_some(dtargets),
        row_state: problem.writes_state().then_some(row_state),
        side: problem.writes_side().then_some((problem.spec().rows().side, side)),
        storage: [Slot::Values, Slot::Dlogits, Slot::Dtargets].map(|slot| problem.storage(slot)),
    }
}

/// What all rows of a batch have in common.
struct Batch<'a> {
    problem: &'a Problem,
    inputs: Tensors<'a>,
    divisor: Real,
    kept: Real,
    /// What brings terms without class weights to the divisor of the others.
    share: Real,
    sum: Option<Parts<'a>>,
}

impl<'a> Batch<'a> {
    pub fn new(problem: &'a Problem, inputs: &Inputs<'a>) -> Self {
        let inputs = Tensors::new(inputs);
        let [divisor, kept] = [problem.divisor(), problem.kept()].map(|it| divisor(problem, &inputs, it));
        let share = extras_share(problem, divisor, kept);
        let sum = problem.spec().distillation().map(|parts| Parts::new(problem, parts, &inputs));
        Batch { problem, inputs, divisor, kept, share, sum }
    }

    /// A row's results, with upstream gradient and divisor in its gradients.
    pub fn row(&self, n: usize) -> Row {
        let Batch { problem, inputs, divisor, .. } = self;
        let over_nothing =
            if problem.has_pytorch_corners() && counts(problem, inputs, n) { Real::NAN } else { Real::ZERO };
        let scaled = |(c, g): (usize, Real)| {
            // Where there is no gradient, none flows, whatever comes from upstream.
            let g = if g.value == 0.0 { g } else { g * dloss(problem, inputs, n, c) };
            if g.value.is_nan() { g } else { quotient(g, *divisor, over_nothing) }
        };
        let all = |gradient: Vec<Real>| gradient.into_iter().enumerate().map(scaled).collect();
        let row = row(problem, inputs, self.sum.as_ref(), n, self.share);
        let teacher_gradient = all(teacher_gradient(problem, inputs, n));
        Row { gradient: all(row.gradient), teacher_gradient, ..row }
    }
}

/// What each part of a sum is divided by.
pub(crate) fn part_divisors(problem: &Problem, divisor: Real, kept: Real) -> [Real; 3] {
    let unweighted = if problem.counts_terms_apart() { kept } else { divisor };
    [divisor, unweighted, unweighted]
}

/// Rounded once, to what each tensor is stored as.
impl From<Evaluation> for Output {
    fn from(evaluation: Evaluation) -> Self {
        let Evaluation { values, parts, dlogits, dtargets, row_state, side, .. } = evaluation;
        let [values_storage, dlogits_storage, dtargets_storage] = evaluation.storage;
        let round = |reals: Vec<Real>, storage: Storage| reals.iter().map(|real| storage.round(real.value)).collect();
        Output {
            values: round(values, values_storage),
            parts: parts.map(|parts| parts.iter().map(|part| part.map(|real| real.value as f32)).collect()),
            dlogits: dlogits.map(|dlogits| round(dlogits, dlogits_storage)),
            dtargets: dtargets.map(|dtargets| round(dtargets, dtargets_storage)),
            row_state: row_state.map(|state| round(state, Storage::F32)),
            side: side.map(|(side, reals)| SideOutputs::from_words(&side, &side_words(&side, &reals))),
        }
    }
}

/// The words of side outputs: bits of f32, and a class for the argmax.
fn side_words(side: &Side, reals: &[Real]) -> Vec<u32> {
    let argmax = side.wanted()[..4].iter().filter(|wanted| **wanted).count();
    let word = |(i, real): (usize, &Real)| match side.argmax && i % side.width() == argmax {
        true if real.value.is_nan() => u32::MAX,
        true => real.value as u32,
        false => (real.value as f32).to_bits(),
    };
    reals.iter().enumerate().map(word).collect()
}

fn row(problem: &Problem, inputs: &Tensors<'_>, sum: Option<&Parts<'_>>, n: usize, share: Real) -> Row {
    let ignored = inputs.labels.get(n).is_some_and(|&label| is_ignored(problem, label));
    let weight = row_weight(inputs, n);
    if weight == 0.0 {
        return Row::silent(problem);
    }
    let weight = if ignored { 1.0 } else { weight };
    if !weight.is_finite() {
        return Row::poisoned(problem);
    }
    let row = match problem.spec().maths() {
        Maths::Softmax(output) => softmax::row(problem, inputs, n, output),
        Maths::ClassIndex(loss) => class_index::row(problem, inputs, n, share, loss),
        Maths::GivenLogProb => given_log_prob::row(problem, inputs, n),
        Maths::Distribution(loss) => distribution::row(problem, inputs, n, loss),
        Maths::RowEntropy => entropy::row(problem, inputs, n),
        Maths::Elementwise(loss) => Some(elementwise::row(problem, inputs, n, loss)),
        Maths::Distillation => sum.and_then(|parts| parts.row(n, share)),
    };
    row.unwrap_or_else(|| Row::poisoned(problem)).weighed(weight)
}

fn row_weight(inputs: &Tensors<'_>, n: usize) -> f32 {
    inputs.row_weights.map_or(1.0, |row_weights| row_weights[n])
}

/// A row's gradient with respect to the targets; empty where none is wanted.
fn teacher_gradient(problem: &Problem, inputs: &Tensors<'_>, n: usize) -> Vec<Real> {
    match problem.spec().maths() {
        Maths::Distribution(loss) if problem.writes_dtargets() => {
            let (weight, n_classes) = (row_weight(inputs, n), problem.shape.n_classes);
            if weight == 0.0 {
                return vec![Real::ZERO; n_classes];
            }
            let gradient = distribution::teacher_gradient(problem, inputs, n, loss).filter(|_| weight.is_finite());
            gradient.map_or_else(|| vec![Real::NAN; n_classes], |row| row.into_iter().map(|g| g * weight).collect())
        }
        _ => Vec::new(),
    }
}

/// Parts of a row's loss that come back beside it.
fn n_parts(problem: &Problem) -> usize {
    if problem.spec().distillation().is_some() { 3 } else { 0 }
}

/// Values a row has before they are summed.
fn row_width(problem: &Problem) -> usize {
    match problem.spec().family() {
        Family::Softmax | Family::Elementwise => problem.shape.n_classes,
        _ => 1,
    }
}

fn logits<'a>(problem: &Problem, inputs: &'a Tensors<'_>, n: usize) -> Cow<'a, [f32]> {
    row_of(problem, &inputs.logits, problem.shape.logits_stride, n)
}

fn target_values<'a>(problem: &Problem, inputs: &'a Tensors<'_>, n: usize) -> Cow<'a, [f32]> {
    let row = |targets: &'a Cow<'_, [f32]>| row_of(problem, targets, problem.shape.targets_stride, n);
    inputs.targets.as_ref().map_or(Cow::Borrowed(&[]), row)
}

/// A row's upstream gradient, where that has one number per element.
fn dloss_values<'a>(problem: &Problem, inputs: &'a Tensors<'_>, n: usize) -> Option<Cow<'a, [f32]>> {
    inputs.dloss.as_ref().map(|dloss| row_of(problem, dloss, problem.shape.slab_len(), n))
}

/// Row `n` of a tensor with this stride.
fn row_of<'a>(problem: &Problem, numbers: &'a [f32], stride: usize, n: usize) -> Cow<'a, [f32]> {
    let shape = &problem.shape;
    match shape.inner {
        1 => Cow::Borrowed(&numbers[n * stride..][..shape.n_classes]),
        _ => (0..shape.n_classes).map(|c| numbers[shape.place(stride, n, c)]).collect(),
    }
}

/// Numbers found row by row, each in its place.
fn laid_out(problem: &Problem, rows: &[Real]) -> Vec<Real> {
    let shape = &problem.shape;
    let mut numbers = rows.to_vec();
    for (i, &number) in rows.iter().enumerate() {
        numbers[shape.place(shape.slab_len(), i / shape.n_classes, i % shape.n_classes)] = number;
    }
    numbers
}

/// The row's softmax: from the saved state in a backward pass, from the logits otherwise.
fn row_softmax(problem: &Problem, inputs: &Tensors<'_>, n: usize) -> Option<Softmax> {
    let (x, map) = (logits(problem, inputs, n), logit_map(problem));
    match &inputs.row_state {
        Some(state) if problem.reads_state() => {
            let state = &state[n * problem.state_width()..];
            Softmax::saved(&x, map, state[0], state[1])
        }
        _ => Softmax::new(&x, map),
    }
}

fn logit_map(problem: &Problem) -> LogitMap {
    LogitMap { softcap: problem.spec().rows().softcap, temperature: problem.spec().temperature() }
}

/// The side outputs wanted, in order; of a row without a target, those that tell of one are not.
fn side(problem: &Problem, softmax: &Softmax, target: Option<usize>) -> Vec<Real> {
    let side = &problem.spec().rows().side;
    let of_target = |number: fn(&Softmax, usize) -> Real| target.map_or(Real::NAN, |t| number(softmax, t));
    let hit = |k: u32| {
        let is_hit = target.is_some_and(|t| softmax.n_above(t) < k as usize);
        if is_hit { Real::ONE } else { Real::ZERO }
    };
    let all = [
        softmax.lse(),
        softmax.entropy(),
        of_target(Softmax::log_p),
        of_target(Softmax::p),
        Real::from(softmax.argmax() as f64),
        hit(1),
        hit(side.top_k.unwrap_or(0)),
    ];
    all.into_iter().zip(side.wanted()).filter_map(|(output, wanted)| wanted.then_some(output)).collect()
}

/// Factor number `c` of a vector that has one for all classes or one per class.
fn class_factor(spec: &dyn Spec, c: usize) -> f32 {
    match spec.class_factors() {
        [all] => *all,
        each => each[c],
    }
}

fn dloss(problem: &Problem, inputs: &Tensors<'_>, n: usize, c: usize) -> f32 {
    match (&inputs.dloss, problem.extent()) {
        (None, _) => 1.0,
        // Used already: the gradient is linear in the whole row of it.
        (Some(_), _) if problem.spec().family().uses_whole_dloss() => 1.0,
        (Some(dloss), Extent::Scalar) => dloss[0],
        (Some(dloss), Extent::Row) => dloss[n],
        (Some(dloss), Extent::Element) => dloss[problem.shape.place(problem.shape.slab_len(), n, c)],
    }
}

/// What brings terms without class weights, which have a divisor of their own, to that of the others.
fn extras_share(problem: &Problem, divisor: Real, kept: Real) -> Real {
    if matches!(problem.divisor(), Divisor::Kept { weighted: true, .. }) {
        divisor / kept
    } else {
        problem.extras_share.into()
    }
}

/// The problem with its divisors as numbers: with the tensors at hand they are known.
pub(crate) fn divided(problem: &Problem, inputs: &Inputs<'_>) -> Problem {
    let inputs = &Tensors::of_rows(inputs);
    let [divisor, kept] = [problem.divisor(), problem.kept()].map(|it| divisor(problem, inputs, it));
    let share = extras_share(problem, divisor, kept);
    problem.clone().divided_by(divisor.value, kept.value, share.value)
}

fn divisor(problem: &Problem, inputs: &Tensors<'_>, divisor: Divisor) -> Real {
    match divisor {
        Divisor::Number(number) => number.into(),
        Divisor::Input => Real::from(inputs.divisor.unwrap_or(1.0)),
        Divisor::Kept { weighted, row_size } => {
            Real::sum((0..problem.shape.n_rows).map(|n| row_share(problem, inputs, n, weighted) * row_size))
        }
    }
}

/// What a row counts in a divisor.
fn row_share(problem: &Problem, inputs: &Tensors<'_>, n: usize, weighted: bool) -> Real {
    let weight = Some(row_weight(inputs, n)).filter(|weight| weight.is_finite()).unwrap_or(0.0);
    let share = Real::from(match problem.spec().row_weights() {
        None | Some(RowWeights::Scale) => 1.0,
        Some(RowWeights::Mask) => f32::from(weight != 0.0),
        Some(RowWeights::Count) => weight,
    });
    let Some(&label) = inputs.labels.get(n) else { return share };
    let kept = |t| if weighted { share * class_factor(problem.spec(), t) } else { share };
    kept_class(problem, label).map_or(Real::ZERO, kept)
}

/// The class a row counts for: none if its label is ignored or out of range.
fn kept_class(problem: &Problem, label: i32) -> Option<usize> {
    let in_range = usize::try_from(label).ok().filter(|&t| t < problem.shape.n_classes);
    in_range.filter(|_| !is_ignored(problem, label))
}

/// Whether a row's loss is more than the 0 of an ignored label or a weight of 0.
fn counts(problem: &Problem, inputs: &Tensors<'_>, n: usize) -> bool {
    let ignored = inputs.labels.get(n).is_some_and(|&label| is_ignored(problem, label));
    !ignored && row_weight(inputs, n) != 0.0
}

/// A product in which an exactly zero factor wins, unless PyTorch's corners are asked for.
fn product(problem: &Problem, factor: Real, value: Real) -> Real {
    if problem.has_pytorch_corners() { factor * value } else { factor.times(value) }
}

fn is_ignored(problem: &Problem, label: i32) -> bool {
    problem.spec().ignore_index().contains(&label)
}

/// `sum / divisor`, or what the policy has for a mean over nothing.
pub(crate) fn mean(problem: &Problem, sum: Real, divisor: Real) -> Real {
    let empty = if sum.value.is_nan() { f64::NAN } else { problem.empty_mean(sum.value / divisor.value.signum()) };
    quotient(sum, divisor, empty.into())
}

/// `sum / divisor`, or `otherwise` where the divisor is 0.
fn quotient(sum: Real, divisor: Real, otherwise: Real) -> Real {
    match divisor.value {
        0.0 => otherwise,
        1.0 => sum,
        _ => sum / divisor,
    }
}

fn weight(problem: &Problem, inputs: &Tensors<'_>, n: usize, c: usize) -> f32 {
    match inputs.weights {
        None => 1.0,
        Some((weights, Broadcast::PerRow)) => weights[n],
        Some((weights, Broadcast::PerClass)) => weights[c],
        Some((weights, Broadcast::PerElement)) => weights[problem.shape.place(problem.shape.slab_len(), n, c)],
    }
}
