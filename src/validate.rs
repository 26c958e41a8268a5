//! The only place that rejects input: a loss, a pass and a shape become a [`Problem`]; host tensors are held against
//! it.

use crate::inputs::{Broadcast, Inputs, Labels, Numbers, Targets};
use crate::kernel::Slot;
use crate::loss::{Divisor, Family, Loss, Pass, Reduction, RowWeights, Spec, TargetKind};
use crate::{Corners, EmptyMean, Error, Policy, Shape, Storage};

/// Elements in a row at most: indices within a row stay below 2^31 with room for a tile.
const MAX_CLASSES: usize = 1 << 30;
/// Rows in a batch at most: row indices are u32.
const MAX_ROWS: usize = 1 << 31;
/// Elements in a tensor at most: byte offsets fit a u64 many times over. On 32-bit targets `Shape`'s lengths saturate
/// before that, which no slice satisfies.
const MAX_ELEMENTS: u64 = 1 << 48;

/// Ignored labels at most: sixteen rows a lane, each held against all, stay well below the 65535 steps after which
/// llvmpipe ends loops.
const MAX_IGNORED: usize = 1024;

/// A loss, a pass and a shape that fit together: everything known before the data is.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    pub(crate) loss: Loss,
    pub(crate) pass: Pass,
    pub(crate) shape: Shape,
    divisor: Divisor,
    kept: Divisor,
    /// Divisor over kept rows, where both are numbers and class weights tell them apart.
    pub(crate) extras_share: f64,
    pub(crate) policy: Policy,
}

/// How many values an operation puts out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Extent {
    Scalar,
    Row,
    Element,
}

impl Problem {
    /// Checks that the options are in range and that the reduction is one the loss defines.
    pub fn new(loss: impl Into<Loss>, pass: Pass, shape: Shape) -> Result<Self, Error> {
        let loss = loss.into();
        check_shape(&shape)?;
        let spec = loss.spec();
        spec.check(&shape)?;
        check_limit("ignored labels", spec.ignore_index().len() as u64, MAX_IGNORED as u64)?;
        match spec.reduction() {
            Some(Reduction::BatchMean) if !spec.has_batch_mean() => {
                Err(Error::Reduction { loss: spec.name(), reduction: Reduction::BatchMean })
            }
            Some(Reduction::SumDividedBy(n)) if !n.is_finite() => {
                Err(Error::Option { option: "SumDividedBy", expected: "finite", found: n })
            }
            _ => {
                let (divisor, kept) = (divisor(spec, &shape), kept(spec, &shape));
                let policy = Policy::new();
                Ok(Problem { loss: loss.simplified(), pass, shape, divisor, kept, extras_share: 1.0, policy })
            }
        }
    }

    /// The same under another policy.
    pub fn policy(self, policy: Policy) -> Self {
        Problem { policy, ..self }
    }

    /// The mean over nothing of losses that sum to this.
    pub(crate) fn empty_mean(&self, sum: f64) -> f64 {
        match self.policy {
            Policy { empty_mean: EmptyMean::Zero, .. } => 0.0,
            Policy { corners: Corners::PyTorch, .. } => sum / 0.0,
            Policy { corners: Corners::Exact, .. } => f64::NAN,
        }
    }

    /// Whether rows at the edge are as in PyTorch.
    pub(crate) fn has_pytorch_corners(&self) -> bool {
        self.policy.corners == Corners::PyTorch
    }

    pub(crate) fn spec(&self) -> &dyn Spec {
        self.loss.spec()
    }

    pub(crate) fn extent(&self) -> Extent {
        match self.spec().reduction() {
            None => Extent::Element,
            Some(Reduction::None) if self.spec().per_element() => Extent::Element,
            Some(Reduction::None) => Extent::Row,
            Some(_) => Extent::Scalar,
        }
    }

    /// Losses in an output of this extent.
    pub(crate) fn losses_len(&self) -> usize {
        match self.extent() {
            Extent::Scalar => 1,
            Extent::Row => self.shape.n_rows,
            Extent::Element => self.shape.n_elements(),
        }
    }

    /// Values on a device: the losses, each followed by its parts if it is a sum.
    pub(crate) fn values_len(&self) -> usize {
        self.losses_len() * self.spec().family().values_per_loss()
    }

    /// How a tensor's numbers are stored: as the shape says if there is one per element, as f32 otherwise.
    pub(crate) fn storage(&self, slot: Slot) -> Storage {
        let per_element = self.extent() == Extent::Element;
        match slot {
            Slot::Logits => self.shape.logits_storage,
            Slot::Targets if self.spec().targets() == TargetKind::Values => self.shape.targets_storage,
            Slot::TargetProbs => self.shape.targets_storage,
            Slot::Dloss if per_element => self.shape.dloss_storage,
            Slot::Values if per_element => self.shape.values_storage,
            Slot::Dlogits => self.shape.dlogits_storage,
            Slot::Dtargets => self.shape.dtargets_storage,
            Slot::Teacher => self.shape.targets_storage,
            _ => Storage::F32,
        }
    }

    /// Bytes of one element of a tensor.
    pub(crate) fn element_bytes(&self, slot: Slot) -> u64 {
        match slot {
            Slot::Targets if self.targets_are_labels() => self.shape.label_storage.bytes() as u64,
            Slot::TeacherIds => self.shape.label_storage.bytes() as u64,
            slot => self.storage(slot).bytes() as u64,
        }
    }

    /// Whether what no class weight touches has a divisor of its own.
    pub(crate) fn counts_terms_apart(&self) -> bool {
        let weighted = matches!(self.divisor, Divisor::Kept { weighted: true, .. });
        self.has_unweighted_terms() && (weighted || self.extras_share != 1.0)
    }

    /// The problem of one loss of a sum.
    pub(crate) fn part(&self, loss: impl Into<Loss>) -> Problem {
        Problem { loss: loss.into(), ..self.clone() }
    }

    /// Whether targets are class indices, so many per row.
    pub(crate) fn targets_are_labels(&self) -> bool {
        matches!(self.spec().targets(), TargetKind::ClassIndex | TargetKind::TopK)
    }

    /// Class indices in a row, where targets are such.
    pub(crate) fn labels_per_row(&self) -> usize {
        if self.spec().targets() == TargetKind::TopK { self.ids_per_row() } else { 1 }
    }

    /// Classes that a teacher names in a row; none of one with a number per class.
    pub(crate) fn ids_per_row(&self) -> usize {
        self.spec().top_k().map_or(0, |top_k| top_k.k)
    }

    /// Whether a teacher has a number per class, beside labels.
    pub(crate) fn takes_teacher(&self) -> bool {
        self.spec().distillation().is_some() && !self.takes_target_probs()
    }

    /// Whether a teacher names its classes, beside labels.
    pub(crate) fn takes_teacher_ids(&self) -> bool {
        self.spec().distillation().is_some() && self.takes_target_probs()
    }

    /// Whether a teacher names its classes.
    pub(crate) fn takes_target_probs(&self) -> bool {
        self.spec().top_k().is_some()
    }

    /// What the sum of losses is divided by.
    pub(crate) fn divisor(&self) -> Divisor {
        self.divisor
    }

    /// The same over numbers, wherever the divisors would come from.
    pub(crate) fn divided_by(self, number: f64, kept: f64, extras_share: f64) -> Problem {
        Problem { divisor: Divisor::Number(number), kept: Divisor::Number(kept), extras_share, ..self }
    }

    /// The same for so many slabs, over the same divisors.
    pub(crate) fn with_outer(self, outer: usize) -> Problem {
        Problem { shape: Shape { n_rows: outer * self.shape.inner, ..self.shape }, ..self }
    }

    /// Numbers saved per row by `Forward`: the running maximum and sum of each softmax, and what else the gradient
    /// needs.
    pub(crate) fn state_width(&self) -> usize {
        self.spec().family().state_width()
    }

    /// The rows kept, without class weights.
    pub(crate) fn kept(&self) -> Divisor {
        self.kept
    }

    /// Words of the class factors and the ignored labels.
    pub(crate) fn classes_len(&self) -> usize {
        self.spec().class_factors().len() + self.spec().ignore_index().len()
    }

    /// Whether a row has z-loss or poly-1.
    pub(crate) fn has_row_extras(&self) -> bool {
        self.spec().rows().z_loss != 0.0 || self.spec().poly1() != 0.0
    }

    /// `z` of `z lse^2`, brought to the divisor of a row's other terms: over rows, where those are over elements.
    pub(crate) fn z_loss(&self) -> f64 {
        let spec = self.spec();
        let row_size = if spec.reduction() == Some(Reduction::Mean) { spec.row_size(&self.shape) } else { 1 };
        f64::from(spec.rows().z_loss) * self.extras_share * row_size as f64
    }

    /// Whether a row has terms that no class weight touches.
    pub(crate) fn has_unweighted_terms(&self) -> bool {
        self.has_row_extras() || self.spec().distillation().is_some()
    }

    /// Words of side outputs: one row's, or those of the means.
    pub(crate) fn side_len(&self) -> usize {
        let side = &self.spec().rows().side;
        if side.mean { side.width() } else { side.width() * self.shape.n_rows }
    }

    pub(crate) fn writes_side(&self) -> bool {
        self.pass != Pass::Backward && self.spec().rows().side.width() > 0
    }

    pub(crate) fn takes_row_weights(&self) -> bool {
        self.spec().row_weights().is_some()
    }

    /// Whether the rows of a sum of losses have weights.
    pub(crate) fn weighs_sum(&self) -> bool {
        self.takes_row_weights() && self.spec().distillation().is_some()
    }

    /// Whether a sum of losses has row weights or side outputs.
    pub(crate) fn has_sum_extras(&self) -> bool {
        let has_side = self.spec().rows().side.width() > 0;
        self.spec().distillation().is_some() && (has_side || self.takes_row_weights())
    }

    /// Whether `tensor` takes part in this pass.
    pub(crate) fn uses_dloss(&self) -> bool {
        self.pass != Pass::Forward
    }

    pub(crate) fn reads_state(&self) -> bool {
        self.pass == Pass::Backward && self.state_width() > 0
    }

    pub(crate) fn writes_state(&self) -> bool {
        self.pass == Pass::Forward && self.state_width() > 0
    }

    pub(crate) fn writes_values(&self) -> bool {
        self.pass != Pass::Backward
    }

    pub(crate) fn writes_dlogits(&self) -> bool {
        self.pass != Pass::Forward
    }

    pub(crate) fn writes_dtargets(&self) -> bool {
        self.writes_dlogits() && self.spec().family().has_teacher_gradient()
    }

    /// Holds host tensors against the problem.
    pub(crate) fn check(&self, inputs: &Inputs<'_>) -> Result<(), Error> {
        let shape = &self.shape;
        check_storage("logits", shape.logits_storage.name(), inputs.logits.storage().name())?;
        check_strided_len("logits", inputs.logits.len(), shape.logits_len(), shape.logits_stride, shape)?;
        if self.spec().reads_probabilities() {
            check_probabilities("logits", &inputs.logits, shape.logits_stride, shape)?;
        }
        self.check_targets(&inputs.targets)?;
        let taught = self.takes_teacher();
        self.check_presence("teacher", inputs.teacher.is_some(), taught, taught)?;
        if let Some(teacher) = inputs.teacher {
            check_storage("teacher", shape.targets_storage.name(), teacher.storage().name())?;
            check_strided_len("teacher", teacher.len(), shape.targets_len(), shape.targets_stride, shape)?;
        }
        let named = self.takes_teacher_ids();
        self.check_presence("teacher_ids", inputs.teacher_ids.is_some(), named, named)?;
        if let Some(ids) = inputs.teacher_ids {
            self.check_ids("teacher_ids", &ids, &inputs.targets)?;
        }
        let top_k = self.takes_target_probs();
        self.check_presence("target_probs", inputs.target_probs.is_some(), top_k, top_k)?;
        if let Some(probs) = inputs.target_probs {
            check_storage("target_probs", shape.targets_storage.name(), probs.storage().name())?;
            check_len("target_probs", probs.len(), shape.n_rows * self.ids_per_row())?;
        }
        self.check_presence("weights", inputs.weights.is_some(), false, self.takes_weights())?;
        if let Some((weights, broadcast)) = inputs.weights {
            check_len("weights", weights.len(), self.weights_len(broadcast))?;
        }
        let weighed = self.takes_row_weights();
        self.check_presence("row_weights", inputs.row_weights.is_some(), weighed, weighed)?;
        if let Some(row_weights) = inputs.row_weights {
            check_len("row_weights", row_weights.len(), shape.n_rows)?;
            check_row_weights(row_weights)?;
        }
        self.check_presence("dloss", inputs.dloss.is_some(), self.needs_dloss(), self.uses_dloss())?;
        if let Some(dloss) = inputs.dloss {
            check_storage("dloss", self.storage(Slot::Dloss).name(), dloss.storage().name())?;
            check_len("dloss", dloss.len(), self.losses_len())?;
        }
        let divided = self.divisor() == Divisor::Input;
        self.check_presence("divisor", inputs.divisor.is_some(), divided, divided)?;
        if let Some(found) = inputs.divisor.filter(|number| !number.is_finite()) {
            return Err(Error::Option { option: "divisor", expected: "finite", found });
        }
        self.check_presence("row_state", inputs.row_state.is_some(), self.reads_state(), self.reads_state())?;
        match inputs.row_state {
            Some(state) => check_len("row_state", state.len(), shape.n_rows * self.state_width()),
            None => Ok(()),
        }
    }

    /// Whether loss and gradient are a dispatch each, with the row state between them: one kernel would bind nine
    /// buffers.
    pub(crate) fn passes_take_turns(&self) -> bool {
        let both = self.writes_side() && self.takes_row_weights();
        let has_nine = !self.spec().family().is_fused() || both || self.has_sum_extras();
        self.pass == Pass::ForwardBackward && has_nine
    }

    /// Whether side outputs come out as their means over the batch.
    pub(crate) fn side_is_mean(&self) -> bool {
        self.writes_side() && self.spec().rows().side.mean
    }

    /// The upstream gradient of a softmax is no scalar and has no natural default.
    pub(crate) fn needs_dloss(&self) -> bool {
        self.uses_dloss() && self.spec().family() == Family::Softmax
    }

    /// Elementwise losses with targets take a factor per element.
    pub(crate) fn takes_weights(&self) -> bool {
        self.spec().per_element() && self.spec().family() == Family::Elementwise
    }

    pub(crate) fn weights_len(&self, broadcast: Broadcast) -> usize {
        match broadcast {
            Broadcast::PerRow => self.shape.n_rows,
            Broadcast::PerClass => self.shape.n_classes,
            Broadcast::PerElement => self.shape.n_elements(),
        }
    }

    /// Refuses a tensor that is missing or that would be ignored.
    pub(crate) fn check_presence(
        &self,
        tensor: &'static str,
        present: bool,
        needed: bool,
        used: bool,
    ) -> Result<(), Error> {
        let (loss, pass) = (self.spec().name(), self.pass);
        match present {
            false if needed => Err(Error::Missing { loss, tensor, pass }),
            true if !used => Err(Error::Unused { loss, tensor, pass }),
            _ => Ok(()),
        }
    }

    fn check_targets(&self, targets: &Targets<'_>) -> Result<(), Error> {
        let (spec, shape) = (self.spec(), &self.shape);
        match (spec.targets(), targets) {
            (TargetKind::None, Targets::None) => Ok(()),
            (TargetKind::ClassIndex, Targets::ClassIndex(labels)) => {
                check_storage("targets", shape.label_storage.name(), labels.storage().name())?;
                check_len("targets", labels.len(), shape.n_rows)?;
                check_labels(labels, shape.n_classes, spec.ignore_index())
            }
            (TargetKind::Values, Targets::Values(values)) => {
                check_storage("targets", shape.targets_storage.name(), values.storage().name())?;
                check_strided_len("targets", values.len(), shape.targets_len(), shape.targets_stride, shape)?;
                match spec.targets_are_probabilities() {
                    true => check_probabilities("targets", values, shape.targets_stride, shape),
                    false => Ok(()),
                }
            }
            (TargetKind::TopK, Targets::ClassIndex(ids)) => self.check_ids("targets", ids, &Targets::None),
            (TargetKind::None, _) => self.check_presence("targets", true, false, false),
            (_, Targets::None) => self.check_presence("targets", false, true, true),
            (TargetKind::ClassIndex, _) => Err(Error::TargetKind {
                loss: spec.name(),
                expected: "class indices, one per row",
                found: "one number per class",
            }),
            (TargetKind::TopK, _) => Err(Error::TargetKind {
                loss: spec.name(),
                expected: "class indices, k per row",
                found: "one number per class",
            }),
            (TargetKind::Values, _) => Err(Error::TargetKind {
                loss: spec.name(),
                expected: "one number per class",
                found: "class indices, one per row",
            }),
        }
    }

    /// The classes that a teacher names; beside labels, those of a row whose label is ignored do not matter.
    fn check_ids(&self, tensor: &'static str, ids: &Labels<'_>, labels: &Targets<'_>) -> Result<(), Error> {
        let (shape, k) = (&self.shape, self.ids_per_row());
        check_storage(tensor, shape.label_storage.name(), ids.storage().name())?;
        check_len(tensor, ids.len(), shape.n_rows * k)?;
        let labels = if let Targets::ClassIndex(labels) = labels { labels.read() } else { Default::default() };
        let is_ignored = |label: &i32| self.spec().ignore_index().contains(label);
        check_ids(tensor, ids, k, shape.n_classes, |row| !labels.get(row).is_some_and(is_ignored))
    }
}

fn divisor(spec: &dyn Spec, shape: &Shape) -> Divisor {
    match spec.reduction() {
        None | Some(Reduction::None | Reduction::Sum) => Divisor::Number(1.0),
        Some(Reduction::Mean) => spec.mean_divisor(shape),
        Some(Reduction::BatchMean) => RowWeights::mean_over_rows(spec.row_weights(), shape, shape.outer()),
        Some(Reduction::SumDividedBy(n)) => Divisor::Number(n.into()),
        Some(Reduction::SumDividedByInput) => Divisor::Input,
    }
}

fn kept(spec: &dyn Spec, shape: &Shape) -> Divisor {
    let size = spec.row_size(shape) as f64;
    match spec.mean_divisor(shape) {
        Divisor::Kept { row_size, .. } => Divisor::Kept { weighted: false, row_size: row_size / size },
        Divisor::Number(number) => Divisor::Number(number / size),
        Divisor::Input => Divisor::Input,
    }
}

fn check_shape(shape: &Shape) -> Result<(), Error> {
    let Shape { n_rows, n_classes, inner, .. } = *shape;
    if n_classes == 0 {
        return Err(Error::NoClasses);
    }
    check_limit("classes", n_classes as u64, MAX_CLASSES as u64)?;
    check_limit("rows", n_rows as u64, MAX_ROWS as u64)?;
    if inner == 0 || !n_rows.is_multiple_of(inner) {
        return Err(Error::Slabs { n_rows, inner });
    }
    let strides = [
        ("logits", shape.logits_stride),
        ("targets", shape.targets_stride),
        ("dlogits", shape.dlogits_stride),
        ("dtargets", shape.dtargets_stride),
    ];
    for (tensor, stride) in strides {
        if inner == 1 && stride < n_classes {
            return Err(Error::RowStride { tensor, stride, n_classes });
        }
        if stride < n_classes.saturating_mul(inner) {
            return Err(Error::SlabStride { tensor, stride, n_classes, inner });
        }
        let unit = if inner == 1 { "elements between rows" } else { "elements between slabs" };
        check_limit(unit, stride as u64, MAX_CLASSES as u64)?;
        check_limit("elements of a tensor", stride as u64 * shape.outer() as u64, MAX_ELEMENTS)?;
    }
    Ok(())
}

fn check_limit(what: &'static str, found: u64, limit: u64) -> Result<(), Error> {
    if found > limit { Err(Error::TooLarge { what, found, limit }) } else { Ok(()) }
}

fn check_storage(tensor: &'static str, expected: &'static str, found: &'static str) -> Result<(), Error> {
    if found == expected { Ok(()) } else { Err(Error::Storage { tensor, expected, found }) }
}

fn check_len(tensor: &'static str, found: usize, expected: usize) -> Result<(), Error> {
    if found == expected { Ok(()) } else { Err(Error::Length { tensor, expected, found }) }
}

/// The padding after the last row or slab may be there or not.
fn check_strided_len(
    tensor: &'static str,
    found: usize,
    expected: usize,
    stride: usize,
    shape: &Shape,
) -> Result<(), Error> {
    let with_padding = shape.outer() * stride;
    if found == with_padding { Ok(()) } else { check_len(tensor, found, expected) }
}

fn check_probabilities(tensor: &'static str, probs: &Numbers<'_>, stride: usize, shape: &Shape) -> Result<(), Error> {
    let probs = probs.widen();
    let slabs = probs.chunks(stride).map(|slab| &slab[..shape.slab_len()]);
    let bad = |(o, slab): (usize, &[f32])| slab.iter().position(|p| !(0.0..=1.0).contains(p)).map(|i| (o, i, slab[i]));
    match slabs.enumerate().find_map(bad) {
        Some((o, i, found)) => {
            let (row, class) = (o * shape.inner + i % shape.inner, i / shape.inner);
            Err(Error::Probability { tensor, row, class, found })
        }
        None => Ok(()),
    }
}

fn check_row_weights(row_weights: &[f32]) -> Result<(), Error> {
    match row_weights.iter().position(|weight| !weight.is_finite()) {
        Some(row) => Err(Error::RowWeight { row, found: row_weights[row] }),
        None => Ok(()),
    }
}

fn check_labels(labels: &Labels<'_>, n_classes: usize, ignore_index: &[i32]) -> Result<(), Error> {
    let in_range = |label: i32| usize::try_from(label).is_ok_and(|t| t < n_classes) || ignore_index.contains(&label);
    match labels.read().iter().position(|&label| !in_range(label)) {
        Some(row) => Err(Error::TargetRange { tensor: "targets", row, found: labels.number(row), n_classes }),
        None => Ok(()),
    }
}

/// Negative ids are slots that are not used.
fn check_ids(
    tensor: &'static str,
    ids: &Labels<'_>,
    k: usize,
    n_classes: usize,
    counts: impl Fn(usize) -> bool,
) -> Result<(), Error> {
    let read = ids.read();
    for (row, named) in read.chunks(k).enumerate().filter(|&(row, _)| counts(row)) {
        if let Some(i) = named.iter().position(|&id| usize::try_from(id).is_ok_and(|id| id >= n_classes)) {
            return Err(Error::TargetRange { tensor, row, found: ids.number(row * k + i), n_classes });
        }
        let mut used: Vec<i32> = named.iter().copied().filter(|&id| id >= 0).collect();
        used.sort_unstable();
        if let Some(pair) = used.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(Error::RepeatedTarget { row, found: pair[0].into() });
        }
    }
    Ok(())
}
