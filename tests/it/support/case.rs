use surprisal::reference::{Evaluation, evaluate};
use surprisal::{
    Broadcast, Inputs, LabelStorage, Labels, Loss, Pass, Policy, Problem, Reduction, Shape, Storage, Targets,
};

use super::compare::numbers;
use super::stored::{Memo, Packed, Stored, stored, widened};

/// A loss and its host tensors, with the name that a failure prints.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    pub loss: Loss,
    pub shape: Shape,
    pub logits: Vec<f32>,
    pub labels: Option<Vec<i32>>,
    pub values: Option<Vec<f32>>,
    /// The classes that a teacher names beside labels.
    pub teacher_ids: Option<Vec<i32>>,
    /// Those of a top-k teacher, whose ids are the labels unless they are beside them.
    pub target_probs: Option<Vec<f32>>,
    pub weights: Option<(Vec<f32>, Broadcast)>,
    pub row_weights: Option<Vec<f32>>,
    pub dloss: Option<Vec<f32>>,
    pub divisor: Option<f32>,
    pub policy: Policy,
    /// The tensors above where the shape says that they are stored otherwise.
    pub stored: Memo,
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
        teacher_ids: None,
        target_probs: None,
        weights: None,
        row_weights: None,
        dloss: None,
        divisor: None,
        policy: Policy::new(),
        stored: Memo::default(),
    }
}

impl Case {
    pub fn labels(mut self, labels: &[i32]) -> Self {
        (self.labels, self.stored) = (Some(labels.to_vec()), Memo::default());
        self
    }

    pub fn values(mut self, values: &[f32]) -> Self {
        (self.values, self.stored) = (Some(values.to_vec()), Memo::default());
        self
    }

    /// A top-k teacher's classes and what it has there.
    pub fn named(self, ids: &[i32], probs: &[f32]) -> Self {
        Case { target_probs: Some(probs.to_vec()), ..self.labels(ids) }
    }

    /// The same beside labels.
    pub fn taught(self, ids: &[i32], probs: &[f32]) -> Self {
        let (teacher_ids, target_probs) = (Some(ids.to_vec()), Some(probs.to_vec()));
        Case { teacher_ids, target_probs, stored: Memo::default(), ..self }
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
        (self.dloss, self.stored) = (Some(dloss.to_vec()), Memo::default());
        self
    }

    pub fn policy(self, policy: Policy) -> Self {
        Case { name: format!("{} under {policy:?}", self.name), policy, ..self }
    }

    /// These rows of contiguous ones, in this order.
    pub fn rows(&self, rows: &[usize]) -> Case {
        let Shape { n_rows, n_classes, .. } = self.shape;
        fn pick<T: Copy>(values: &[T], rows: &[usize], width: usize) -> Vec<T> {
            rows.iter().flat_map(|&n| values[n * width..][..width].to_vec()).collect()
        }
        let classes = |values: &[f32]| pick(values, rows, n_classes);
        let per_row = |values: &Vec<i32>| pick(values, rows, values.len() / n_rows);
        let of_rows = |values: &Vec<f32>| pick(values, rows, values.len() / n_rows);
        Case {
            name: format!("rows {rows:?} of {}", self.name),
            shape: Shape::new(rows.len(), n_classes),
            logits: classes(&self.logits),
            labels: self.labels.as_ref().map(per_row),
            values: self.values.as_deref().map(classes),
            teacher_ids: self.teacher_ids.as_ref().map(per_row),
            target_probs: self.target_probs.as_ref().map(of_rows),
            weights: self.weights.as_ref().map(|(weights, broadcast)| match broadcast {
                Broadcast::PerClass => (weights.clone(), *broadcast),
                Broadcast::PerRow | Broadcast::PerElement => (of_rows(weights), *broadcast),
            }),
            row_weights: self.row_weights.as_ref().map(of_rows),
            dloss: self.dloss.as_ref().map(of_rows),
            stored: Memo::default(),
            ..self.clone()
        }
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
        let packed = |numbers: &Option<Vec<f32>>, storage| Packed::new(numbers.as_deref()?, storage);
        let is_wide = shape.label_storage == LabelStorage::I64;
        let wide = |labels: &Option<Vec<i32>>| {
            Some(labels.as_ref().filter(|_| is_wide)?.iter().copied().map(i64::from).collect())
        };
        self.stored.0.get_or_init(|| Stored {
            logits: Packed::new(&self.logits, shape.logits_storage),
            values: packed(&self.values, shape.targets_storage),
            target_probs: packed(&self.target_probs, shape.targets_storage),
            dloss: packed(&self.dloss, if self.has_values_per_element() { shape.dloss_storage } else { Storage::F32 }),
            labels: wide(&self.labels),
            teacher_ids: wide(&self.teacher_ids),
        })
    }

    /// The numbers of this case in f32.
    pub fn widened(&self) -> Case {
        let packed = self.stored();
        Case {
            name: format!("{}, widened", self.name),
            shape: self.shape.storage(Storage::F32),
            logits: widened(&self.logits, &packed.logits),
            values: self.values.as_ref().map(|values| widened(values, &packed.values)),
            target_probs: self.target_probs.as_ref().map(|probs| widened(probs, &packed.target_probs)),
            dloss: self.dloss.as_ref().map(|dloss| widened(dloss, &packed.dloss)),
            ..self.clone()
        }
    }

    /// Whether the output has the shape of the logits.
    pub fn has_values_per_element(&self) -> bool {
        match &self.loss {
            Loss::LogSoftmax | Loss::Softmax => true,
            Loss::KlDivergence(loss) => loss.kind.per_element && loss.reduction == Reduction::None,
            Loss::BinaryCrossEntropy(loss) => loss.reduction == Reduction::None,
            Loss::SigmoidFocal(loss) => loss.reduction == Reduction::None,
            _ => false,
        }
    }

    pub fn inputs(&self) -> Inputs<'_> {
        let packed = self.stored();
        let mut inputs = Inputs::new(stored(&self.logits, &packed.logits));
        let values = self.values.as_ref().map(|values| stored(values, &packed.values));
        (inputs.targets, inputs.teacher) = match (&packed.labels, &self.labels) {
            (Some(labels), _) => (labels.into(), values),
            (None, Some(labels)) => (labels.into(), values),
            (None, None) => (values.map_or(Targets::None, Targets::Values), None),
        };
        inputs.teacher_ids = match &packed.teacher_ids {
            Some(ids) => Some(ids.into()),
            None => self.teacher_ids.as_ref().map(Labels::from),
        };
        inputs.target_probs = self.target_probs.as_ref().map(|probs| stored(probs, &packed.target_probs));
        inputs.weights = self.weights.as_ref().map(|(weights, broadcast)| (&weights[..], *broadcast));
        inputs.row_weights = self.row_weights.as_deref();
        inputs.dloss = self.dloss.as_ref().map(|dloss| stored(dloss, &packed.dloss));
        inputs.divisor = self.divisor;
        inputs
    }

    pub fn problem(&self, pass: Pass) -> Problem {
        let problem = Problem::new(&self.loss, pass, self.shape);
        problem.unwrap_or_else(|error| panic!("{}: {error}", self.name)).policy(self.policy)
    }
}
