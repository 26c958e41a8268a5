//! Tensors of 16-bit numbers, in every mix with f32: the same results, rounded once.
mod conversions;
pub mod full {
    pub mod layouts;
    mod results;
}
mod labels;

use surprisal::{Loss, Pass, Shape, Storage};

use crate::support::case::Case;
use crate::support::cases::{Batch, representative_cases};

const PASSES: [Pass; 3] = [Pass::Forward, Pass::ForwardBackward, Pass::Backward];

/// What a case's tensors are stored as: logits, gradient, and every other that there may be.
#[derive(Clone, Copy, Debug)]
pub struct Mix(pub Storage, pub Storage, pub Storage);

/// Every kind of logits with every kind of gradient; f32 with f32 is among them for the other tensors' sake. Every
/// third of them, from any on, have each kind of each.
pub const MIXES: [Mix; 9] = {
    use Storage::{Bf16, F16, F32};
    [
        Mix(Bf16, Bf16, Bf16),
        Mix(F16, F16, F16),
        Mix(Bf16, F16, F32),
        Mix(F16, F32, F32),
        Mix(Bf16, F32, Bf16),
        Mix(F16, Bf16, F16),
        Mix(F32, F16, F16),
        Mix(F32, Bf16, F32),
        Mix(F32, F32, Bf16),
    ]
};

impl Mix {
    pub fn shape(self, shape: Shape) -> Shape {
        let Mix(logits, dlogits, others) = self;
        shape.storage(others).logits_storage(logits).dlogits_storage(dlogits)
    }

    fn stored(self, case: &Case) -> Case {
        let name = format!("{} in {self:?}", case.name);
        Case { name, shape: self.shape(case.shape), ..case.clone() }
    }
}

/// [`representative_cases`], each in the next mix of the list.
fn mixed_cases(batch: Batch, kind: usize) -> Vec<Case> {
    let cases = representative_cases(batch, kind).into_iter();
    cases.zip(MIXES.iter().cycle().skip(kind)).map(|(case, mix)| mix.stored(&case)).collect()
}

/// Each case with the next engine of a list: a mix of storage is a pipeline of its own, and making those is what takes
/// the time. Tests that start at different numbers meet all pairs.
fn in_turn<'a, E>(engines: &'a [E], cases: &'a [Case], first: usize) -> impl Iterator<Item = (&'a E, &'a Case)> {
    engines.iter().cycle().skip(first).zip(cases)
}

/// Every third of these, in turn as well.
fn every_third<'a, E>(engines: &'a [E], cases: &'a [Case], first: usize) -> impl Iterator<Item = (&'a E, &'a Case)> {
    in_turn(engines, cases, first).skip(first % 3).step_by(3)
}

/// One loss of each family that makes a scalar, and both kinds of values per element.
fn is_typical(loss: &Loss) -> bool {
    matches!(loss, Loss::LogSoftmax | Loss::CrossEntropy(_) | Loss::KlDivergence(_) | Loss::BinaryCrossEntropy(_))
}
