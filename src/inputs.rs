use std::borrow::Cow;
use std::ops::Range;

use half::{bf16, f16};

use crate::kernel::Slot;
use crate::validate::Extent;
use crate::{LabelStorage, Problem, SideOutputs, Storage};

/// Host tensors for one call: logits, and what the loss reads beside them.
///
/// ```
/// # use surprisal::{Broadcast, Inputs};
/// let (logits, targets) = (vec![0.3, -1.0], vec![1.0, 0.0]);
/// let inputs = Inputs::new(&logits).targets(&targets).weights(&[2.0, 1.0], Broadcast::PerClass).dloss(&[0.5]);
/// ```
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Inputs<'a> {
    /// `[N, C]`, row stride `logits_stride`: logits, or what the loss reads in their place.
    pub logits: Numbers<'a>,
    /// Labels `[N]`, one number per class `[N, C]`, or the ids `[N, k]` of a top-k teacher's classes.
    pub targets: Targets<'a>,
    /// What a distillation holds the student against beside labels: `[N, C]`, row stride `targets_stride`.
    pub teacher: Option<Numbers<'a>>,
    /// The classes that a distillation's teacher names beside labels, `[N, k]`, stored as those are.
    pub teacher_ids: Option<Labels<'a>>,
    /// What a top-k teacher has at the classes that `targets`, or `teacher_ids`, name: `[N, k]`.
    pub target_probs: Option<Numbers<'a>>,
    /// Factors on the elements of an elementwise loss: `[N]`, `[C]` or `[N, C]` without padding, as the broadcast says.
    /// One that is NaN or infinite makes its elements' loss and gradient NaN.
    pub weights: Option<(&'a [f32], Broadcast)>,
    /// One weight per row `[N]`, where the loss says what it does.
    pub row_weights: Option<&'a [f32]>,
    /// Upstream gradient, of the output's shape; 1 if absent.
    pub dloss: Option<Numbers<'a>>,
    /// The divisor of `Reduction::SumDividedByInput`: finite.
    pub divisor: Option<f32>,
    /// What `Pass::Forward` saved, for `Pass::Backward`: `[N, W]`, [`Output::row_state`] as it came.
    pub row_state: Option<&'a [f32]>,
}

/// What the logits are held against.
#[derive(Clone, Copy, Debug)]
pub enum Targets<'a> {
    /// Nothing: softmax and entropy.
    None,
    /// One class index per row, or the k of a top-k teacher.
    ClassIndex(Labels<'a>),
    /// One number per class: probabilities, log-probabilities, logits or labels, as the loss says.
    Values(Numbers<'a>),
}

/// The numbers of a tensor `[N, C]`, as its [`Storage`] says.
#[derive(Clone, Copy, Debug)]
pub enum Numbers<'a> {
    /// [`Storage::F32`]
    F32(&'a [f32]),
    /// [`Storage::Bf16`]
    Bf16(&'a [bf16]),
    /// [`Storage::F16`]
    F16(&'a [f16]),
}

/// Class indices, as their [`LabelStorage`] says.
#[derive(Clone, Copy, Debug)]
pub enum Labels<'a> {
    /// [`LabelStorage::I32`]
    I32(&'a [i32]),
    /// [`LabelStorage::I32`]; a label beyond i32 is compared with `ignore_index` by its bits.
    U32(&'a [u32]),
    /// [`LabelStorage::I64`]
    I64(&'a [i64]),
}

/// How a tensor of fewer numbers spreads over `[N, C]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Broadcast {
    /// `[N]`
    PerRow,
    /// `[C]`
    PerClass,
    /// `[N, C]`
    PerElement,
}

impl<'a> Inputs<'a> {
    /// Logits alone.
    pub fn new(logits: impl Into<Numbers<'a>>) -> Self {
        Inputs {
            logits: logits.into(),
            targets: Targets::None,
            teacher: None,
            teacher_ids: None,
            target_probs: None,
            weights: None,
            row_weights: None,
            dloss: None,
            divisor: None,
            row_state: None,
        }
    }

    /// Adds targets: `&[i32]`, `&[u32]` or `&[i64]` for class indices, `&[f32]`, `&[f16]` or `&[bf16]` for one number
    /// per class.
    pub fn targets(mut self, targets: impl Into<Targets<'a>>) -> Self {
        self.targets = targets.into();
        self
    }

    /// Adds what a distillation holds the student against beside labels.
    pub fn teacher(mut self, teacher: impl Into<Numbers<'a>>) -> Self {
        self.teacher = Some(teacher.into());
        self
    }

    /// Adds the classes that a distillation's top-k teacher names: `&[i32]`, `&[u32]` or `&[i64]`.
    pub fn teacher_ids(mut self, teacher_ids: impl Into<Labels<'a>>) -> Self {
        self.teacher_ids = Some(teacher_ids.into());
        self
    }

    /// Adds what a top-k teacher has at the classes it names: probabilities or log-probabilities.
    pub fn target_probs(mut self, target_probs: impl Into<Numbers<'a>>) -> Self {
        self.target_probs = Some(target_probs.into());
        self
    }

    /// Adds factors on the elements of an elementwise loss.
    pub fn weights(mut self, weights: &'a [f32], broadcast: Broadcast) -> Self {
        self.weights = Some((weights, broadcast));
        self
    }

    /// Adds one weight per row.
    pub fn row_weights(mut self, row_weights: &'a [f32]) -> Self {
        self.row_weights = Some(row_weights);
        self
    }

    /// Adds the upstream gradient, of the output's shape.
    pub fn dloss(mut self, dloss: impl Into<Numbers<'a>>) -> Self {
        self.dloss = Some(dloss.into());
        self
    }

    /// Adds the divisor of `Reduction::SumDividedByInput`.
    pub fn divisor(mut self, divisor: f32) -> Self {
        self.divisor = Some(divisor);
        self
    }

    /// Adds what `Pass::Forward` saved.
    pub fn row_state(mut self, row_state: &'a [f32]) -> Self {
        self.row_state = Some(row_state);
        self
    }

    /// The tensors given, as bytes.
    pub(crate) fn given(&self) -> Vec<(Slot, &[u8])> {
        let targets = match &self.targets {
            Targets::None => None,
            Targets::ClassIndex(labels) => Some(labels.bytes()),
            Targets::Values(values) => Some(values.bytes()),
        };
        let numbers = |numbers: &Option<Numbers<'a>>| numbers.map(|numbers| numbers.bytes());
        let floats = |floats: Option<&'a [f32]>| floats.map(bytemuck::cast_slice);
        let all = [
            (Slot::Logits, Some(self.logits.bytes())),
            (Slot::Targets, targets),
            (Slot::Teacher, numbers(&self.teacher)),
            (Slot::TeacherIds, self.teacher_ids.map(|ids| ids.bytes())),
            (Slot::TargetProbs, numbers(&self.target_probs)),
            (Slot::Weights, floats(self.weights.map(|(weights, _)| weights))),
            (Slot::RowWeights, floats(self.row_weights)),
            (Slot::Dloss, numbers(&self.dloss)),
            (Slot::Divisor, self.divisor.as_ref().map(bytemuck::bytes_of)),
            (Slot::RowState, floats(self.row_state)),
        ];
        all.into_iter().filter_map(|(slot, bytes)| Some((slot, bytes?))).collect()
    }
}

impl<'a> Numbers<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Numbers::F32(numbers) => numbers.len(),
            Numbers::Bf16(numbers) => numbers.len(),
            Numbers::F16(numbers) => numbers.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How they are stored.
    pub fn storage(&self) -> Storage {
        match self {
            Numbers::F32(_) => Storage::F32,
            Numbers::Bf16(_) => Storage::Bf16,
            Numbers::F16(_) => Storage::F16,
        }
    }

    pub(crate) fn bytes(&self) -> &'a [u8] {
        match self {
            Numbers::F32(numbers) => bytemuck::cast_slice(numbers),
            Numbers::Bf16(numbers) => bytemuck::cast_slice(numbers),
            Numbers::F16(numbers) => bytemuck::cast_slice(numbers),
        }
    }

    /// Some of them.
    pub(crate) fn slice(&self, range: Range<usize>) -> Numbers<'a> {
        match *self {
            Numbers::F32(numbers) => Numbers::F32(&numbers[range]),
            Numbers::Bf16(numbers) => Numbers::Bf16(&numbers[range]),
            Numbers::F16(numbers) => Numbers::F16(&numbers[range]),
        }
    }

    /// The same numbers as f32, exactly.
    pub(crate) fn widen(&self) -> Cow<'a, [f32]> {
        match self {
            Numbers::F32(numbers) => Cow::Borrowed(numbers),
            _ => Cow::Owned(self.storage().widen(self.bytes())),
        }
    }
}

impl<'a> Labels<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Labels::I32(labels) => labels.len(),
            Labels::U32(labels) => labels.len(),
            Labels::I64(labels) => labels.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How they are stored.
    pub fn storage(&self) -> LabelStorage {
        match self {
            Labels::I32(_) | Labels::U32(_) => LabelStorage::I32,
            Labels::I64(_) => LabelStorage::I64,
        }
    }

    /// Some of them.
    pub(crate) fn slice(&self, range: Range<usize>) -> Labels<'a> {
        match *self {
            Labels::I32(labels) => Labels::I32(&labels[range]),
            Labels::U32(labels) => Labels::U32(&labels[range]),
            Labels::I64(labels) => Labels::I64(&labels[range]),
        }
    }

    /// The number that stands at a place.
    pub(crate) fn number(&self, at: usize) -> i64 {
        match self {
            Labels::I32(labels) => labels[at].into(),
            Labels::U32(labels) => labels[at].into(),
            Labels::I64(labels) => labels[at],
        }
    }

    pub(crate) fn bytes(&self) -> &'a [u8] {
        match self {
            Labels::I32(labels) => bytemuck::cast_slice(labels),
            Labels::U32(labels) => bytemuck::cast_slice(labels),
            Labels::I64(labels) => bytemuck::cast_slice(labels),
        }
    }

    /// The labels as a kernel reads them.
    pub(crate) fn read(&self) -> Cow<'a, [i32]> {
        match self {
            Labels::I32(labels) => Cow::Borrowed(labels),
            Labels::U32(labels) => Cow::Borrowed(bytemuck::cast_slice(labels)),
            Labels::I64(labels) => {
                Cow::Owned(labels.iter().map(|&t| t.clamp(i32::MIN.into(), i32::MAX.into()) as i32).collect())
            }
        }
    }
}

/// Slices, vectors and arrays of one type, as one variant.
macro_rules! from_slices {
    ($into:ident, $variant:ident, $element:ty, $wrap:expr) => {
        impl<'a> From<&'a [$element]> for $into<'a> {
            fn from(values: &'a [$element]) -> Self {
                $into::$variant($wrap(values))
            }
        }
        impl<'a> From<&'a Vec<$element>> for $into<'a> {
            fn from(values: &'a Vec<$element>) -> Self {
                values.as_slice().into()
            }
        }
        impl<'a, const N: usize> From<&'a [$element; N]> for $into<'a> {
            fn from(values: &'a [$element; N]) -> Self {
                values.as_slice().into()
            }
        }
    };
}
from_slices!(Numbers, F32, f32, std::convert::identity);
from_slices!(Numbers, Bf16, bf16, std::convert::identity);
from_slices!(Numbers, F16, f16, std::convert::identity);
from_slices!(Labels, I32, i32, std::convert::identity);
from_slices!(Labels, U32, u32, std::convert::identity);
from_slices!(Labels, I64, i64, std::convert::identity);
from_slices!(Targets, ClassIndex, i32, Labels::I32);
from_slices!(Targets, ClassIndex, u32, Labels::U32);
from_slices!(Targets, ClassIndex, i64, Labels::I64);
from_slices!(Targets, Values, f32, Numbers::F32);
from_slices!(Targets, Values, bf16, Numbers::Bf16);
from_slices!(Targets, Values, f16, Numbers::F16);

/// What a call returns.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Output {
    /// The reduced loss `[1]`, row losses `[N]`, or one value per element `[N, C]`; empty after `Pass::Backward`.
    /// Numbers stored in 16 bits are f32 here, exactly.
    pub values: Vec<f32>,
    /// The parts of each loss that is a sum, unweighted: hard, soft and z-loss; only of a distillation.
    pub parts: Option<Vec<[f32; 3]>>,
    /// The gradient, row stride `dlogits_stride` (padding is 0); absent after `Pass::Forward`. As f32, exactly.
    pub dlogits: Option<Vec<f32>>,
    /// The gradient with respect to the targets, row stride `dtargets_stride` (padding is 0), where it was asked for.
    pub dtargets: Option<Vec<f32>>,
    /// What `Pass::Backward` starts from, `[N, W]`, a few numbers a row that mean nothing outside; only after
    /// `Pass::Forward`, and not of the binary losses, the entropy of given probabilities and
    /// [`crate::NegativeLogLikelihood`], which need nothing.
    pub row_state: Option<Vec<f32>>,
    /// The side outputs asked for; absent after `Pass::Backward`.
    pub side: Option<SideOutputs>,
}

impl Output {
    /// Adds the output of the rows that follow.
    pub(crate) fn append(&mut self, next: Output, problem: &Problem) {
        let Output { values, parts, dlogits, dtargets, row_state, side } = next;
        let add = |sum: &mut f32, value: f32| *sum += value;
        match problem.extent() {
            Extent::Scalar => self.values.iter_mut().zip(values).for_each(|(sum, value)| add(sum, value)),
            _ => self.values.extend(values),
        }
        if let (Some(all), Some(next)) = (&mut self.parts, parts) {
            match problem.extent() {
                Extent::Scalar => {
                    all.as_flattened_mut().iter_mut().zip(next.concat()).for_each(|(sum, value)| add(sum, value));
                }
                _ => all.extend(next),
            }
        }
        let gradients = [
            (&mut self.dlogits, dlogits, problem.shape.dlogits_stride),
            (&mut self.dtargets, dtargets, problem.shape.dtargets_stride),
        ];
        for (all, next, stride) in gradients {
            if let (Some(all), Some(next)) = (all, next) {
                // The padding after a batch's last row is none of its output; between rows it is 0.
                all.resize(all.len().next_multiple_of(stride), 0.0);
                all.extend(next);
            }
        }
        if let (Some(all), Some(next)) = (&mut self.row_state, row_state) {
            all.extend(next);
        }
        if let (Some(all), Some(next)) = (&mut self.side, side) {
            all.append(next, problem.spec().rows().side.mean);
        }
    }
}
