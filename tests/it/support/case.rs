use surprisal::reference::{Evaluation, evaluate};
use surprisal::{Broadcast, Inputs, Loss, Pass, Problem, Shape, Targets};

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
    pub dloss: Option<Vec<f32>>,
    pub divisor: Option<f32>,
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
        dloss: None,
        divisor: None,
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

    pub fn inputs(&self) -> Inputs<'_> {
        let mut inputs = Inputs::new(&self.logits);
        inputs.targets = match (&self.labels, &self.values) {
            (Some(labels), _) => labels.into(),
            (None, Some(values)) => values.into(),
            (None, None) => Targets::None,
        };
        inputs.weights = self.weights.as_ref().map(|(weights, broadcast)| (&weights[..], *broadcast));
        inputs.dloss = self.dloss.as_deref();
        inputs.divisor = self.divisor;
        inputs
    }

    pub fn problem(&self, pass: Pass) -> Problem {
        Problem::new(&self.loss, pass, self.shape).unwrap_or_else(|error| panic!("{}: {error}", self.name))
    }
}
