use std::borrow::Cow;

use crate::inputs::{Broadcast, Inputs, Numbers, Targets};

/// Host tensors as f32 and i32, whatever they are stored as: widening is exact.
#[derive(Clone)]
pub(super) struct Tensors<'a> {
    pub logits: Cow<'a, [f32]>,
    /// One per row; empty where there are none.
    pub labels: Cow<'a, [i32]>,
    /// The classes that a top-k teacher names, and its numbers there.
    pub ids: Cow<'a, [i32]>,
    pub target_probs: Option<Cow<'a, [f32]>>,
    /// One per class.
    pub targets: Option<Cow<'a, [f32]>>,
    pub teacher: Option<Cow<'a, [f32]>>,
    pub weights: Option<(&'a [f32], Broadcast)>,
    pub row_weights: Option<&'a [f32]>,
    pub dloss: Option<Cow<'a, [f32]>>,
    pub divisor: Option<f32>,
    pub row_state: Option<Cow<'a, [f32]>>,
}

impl<'a> Tensors<'a> {
    /// Those with one number per row alone.
    pub fn of_rows(inputs: &Inputs<'a>) -> Self {
        let targets = match inputs.targets {
            Targets::Values(_) => Targets::None,
            labels => labels,
        };
        let logits = Numbers::F32(&[]);
        Tensors::new(&Inputs { logits, targets, teacher: None, dloss: None, weights: None, ..*inputs })
    }

    pub fn new(inputs: &Inputs<'a>) -> Self {
        let (mut labels, mut ids, mut targets) = (Cow::default(), Cow::default(), None);
        let names_classes = inputs.target_probs.is_some() && inputs.teacher_ids.is_none();
        match inputs.targets {
            Targets::None => {}
            Targets::ClassIndex(given) if names_classes => ids = given.read(),
            Targets::ClassIndex(given) => labels = given.read(),
            Targets::Values(given) => targets = Some(given.widen()),
        }
        if let Some(given) = inputs.teacher_ids {
            ids = given.read();
        }
        Tensors {
            logits: inputs.logits.widen(),
            labels,
            ids,
            target_probs: inputs.target_probs.map(|probs| probs.widen()),
            targets,
            teacher: inputs.teacher.map(|teacher| teacher.widen()),
            weights: inputs.weights,
            row_weights: inputs.row_weights,
            dloss: inputs.dloss.map(|dloss| dloss.widen()),
            divisor: inputs.divisor,
            row_state: inputs.row_state.map(Cow::Borrowed),
        }
    }
}
