use std::sync::OnceLock;

use surprisal::half::{bf16, f16};
use surprisal::reference::{Evaluation, evaluate};
use surprisal::{Broadcast, Inputs, LabelStorage, Loss, Numbers, Pass, Problem, Reduction, Shape, Storage, Targets};

use super::compare::numbers;

/// A loss and its host tensors, with the name that a failure prints.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub loss: Loss,
    pub shape: Shape,
    pub logits: Vec<f32>,
    pub labels: Option<Vec<i32>>,
    pub values: Option<Vec<f32>>,
    pub weights: Option<(Vec<f32>, Broadcast)>,
    pub row_weights: Option<Vec<f32>>,
    pub dloss: Option<Vec<f32>>,
    pub divisor: Option<f32>,
    /// The tensors above as the shape says they are stored, once that was asked for.
    pub stored: Memo,
}

/// Tensors of 16-bit numbers, and labels of 64 bits; none where f32 and i32 serve.
#[derive(Debug)]
struct Stored {
    logits: Packed,
    values: Option<Packed>,
    dloss: Option<Packed>,
    labels: Option<Vec<i64>>,
}

#[derive(Debug)]
enum Packed {
    F32(Vec<f32>),
    Bf16(Vec<bf16>),
    F16(Vec<f16>),
}

impl Packed {
    fn new(numbers: &[f32], storage: Storage) -> Packed {
        match storage {
            Storage::F32 => Packed::F32(numbers.to_vec()),
            Storage::Bf16 => Packed::Bf16(numbers.iter().copied().map(bf16::from_f32).collect()),
            Storage::F16 => Packed::F16(numbers.iter().copied().map(f16::from_f32).collect()),
        }
    }

    fn numbers(&self) -> Numbers<'_> {
        match self {
            Packed::F32(numbers) => numbers.into(),
            Packed::Bf16(numbers) => numbers.into(),
            Packed::F16(numbers) => numbers.into(),
        }
    }
}

impl Packed {
    fn widened(&self) -> Vec<f32> {
        match self {
            Packed::F32(numbers) => numbers.clone(),
            Packed::Bf16(numbers) => numbers.iter().copied().map(bf16::to_f32).collect(),
            Packed::F16(numbers) => numbers.iter().copied().map(f16::to_f32).collect(),
        }
    }
}

/// A clone is made to be changed, and stores what it then has.
#[derive(Debug, Default)]
pub struct Memo(OnceLock<Stored>);

impl Clone for Memo {
    fn clone(&self) -> Self {
        Memo::default()
    }
}

/// Contiguous rows of logits, or of what the loss reads in their place; no other tensor.
pub fn case(loss: impl Into<Loss>, n_classes: usize, logits: &[f32]) -> Case {
    let loss = loss.into();
    Case {
        name: format!("{loss:?} of {logits:?}"),
        loss,
        shape: Shape::new(logits.len() / n_classes, n_classes),
        logits: logits.to_vec(),
        labels: None,
        values: None,
        weights: None,
        row_weights: None,
        dloss: None,
        divisor: None,
        stored: Memo::default(),
    }
}

impl Case {
    pub fn labels(mut self, labels: &[i32]) -> Self {
        self.labels = Some(labels.to_vec());
        self
    }

    pub fn values(mut self, values: &[f32]) -> Self {
        self.values = Some(values.to_vec());
        self
    }

    pub fn weights(mut self, weights: &[f32], broadcast: Broadcast) -> Self {
        self.weights = Some((weights.to_vec(), broadcast));
        self
    }

    pub fn row_weights(mut self, row_weights: &[f32]) -> Self {
        self.row_weights = Some(row_weights.to_vec());
        self
    }

    pub fn dloss(mut self, dloss: &[f32]) -> Self {
        self.dloss = Some(dloss.to_vec());
        self
    }

    /// The reference's results; a forward pass leaves the upstream gradient out.
    pub fn evaluate(&self, pass: Pass) -> Evaluation {
        let mut inputs = self.inputs();
        inputs.dloss = inputs.dloss.filter(|_| pass != Pass::Forward);
        evaluate(&self.problem(pass), &inputs)
    }

    /// The gradient from the state that a forward pass saved, rounded to f32.
    pub fn evaluate_backward(&self) -> Evaluation {
        let state = self.evaluate(Pass::Forward).row_state.unwrap_or_default();
        let state: Vec<f32> = state.iter().map(|real| real.value as f32).collect();
        evaluate(&self.problem(Pass::Backward), &self.inputs().row_state(&state))
    }

    /// The values, in double precision.
    pub fn losses(&self) -> Vec<f64> {
        numbers(&self.evaluate(Pass::Forward).values)
    }

    /// The gradient, in double precision.
    pub fn gradient(&self) -> Vec<f64> {
        let dlogits = self.evaluate(Pass::ForwardBackward).dlogits;
        numbers(&dlogits.unwrap_or_else(|| panic!("{}: no gradient", self.name)))
    }

    /// The gradient with respect to the targets, in double precision.
    pub fn teacher_gradient(&self) -> Vec<f64> {
        let dtargets = self.evaluate(Pass::ForwardBackward).dtargets;
        numbers(&dtargets.unwrap_or_else(|| panic!("{}: no gradient of the targets", self.name)))
    }

    fn stored(&self) -> &Stored {
        let shape = &self.shape;
        let dloss_storage = if self.has_values_per_element() { shape.dloss_storage } else { Storage::F32 };
        self.stored.0.get_or_init(|| Stored {
            logits: Packed::new(&self.logits, shape.logits_storage),
            values: self.values.as_ref().map(|values| Packed::new(values, shape.targets_storage)),
            dloss: self.dloss.as_ref().map(|dloss| Packed::new(dloss, dloss_storage)),
            labels: self.labels.as_ref().map(|labels| labels.iter().copied().map(i64::from).collect()),
        })
    }

    /// The numbers of this case in f32.
    pub fn widened(&self) -> Case {
        let stored = self.stored();
        Case {
            name: format!("{}, widened", self.name),
            shape: self.shape.storage(Storage::F32),
            logits: stored.logits.widened(),
            values: stored.values.as_ref().map(Packed::widened),
            dloss: stored.dloss.as_ref().map(Packed::widened),
            ..self.clone()
        }
    }

    /// Whether the output has the shape of the logits.
    pub fn has_values_per_element(&self) -> bool {
        match &self.loss {
            Loss::LogSoftmax | Loss::Softmax => true,
            Loss::BinaryCrossEntropy(loss) => loss.reduction == Reduction::None,
            Loss::SigmoidFocal(loss) => loss.reduction == Reduction::None,
            _ => false,
        }
    }

    pub fn inputs(&self) -> Inputs<'_> {
        let stored = self.stored();
        let mut inputs = Inputs::new(stored.logits.numbers());
        inputs.targets = match (&self.labels, &stored.labels, &stored.values) {
            (_, Some(labels), _) if self.shape.label_storage == LabelStorage::I64 => labels.into(),
            (Some(labels), ..) => labels.into(),
            (None, _, Some(values)) => Targets::Values(values.numbers()),
            (None, _, None) => Targets::None,
        };
        inputs.weights = self.weights.as_ref().map(|(weights, broadcast)| (&weights[..], *broadcast));
        inputs.row_weights = self.row_weights.as_deref();
        inputs.dloss = stored.dloss.as_ref().map(Packed::numbers);
        inputs.divisor = self.divisor;
        inputs
    }

    pub fn problem(&self, pass: Pass) -> Problem {
        Problem::new(&self.loss, pass, self.shape).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}
