use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::kernel::Slot;
use crate::loss::{Family, Pass};
use crate::plan::Caps;
use crate::{Problem, Storage};

/// What timing has found better than what an engine would do by itself.
#[derive(Debug, Default)]
pub(super) struct Tuned {
    found: Mutex<HashMap<Key, Caps>>,
}

/// What a choice is for: all that decides what a row's kernels look like. How many rows there are does not: a row's bits
/// must not depend on it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    family: Family,
    loss: &'static str,
    pass: Pass,
    n_classes: usize,
    inner: usize,
    storage: [Storage; 3],
    side: u32,
}

impl Key {
    fn of(problem: &Problem) -> Key {
        let (spec, shape) = (problem.spec(), &problem.shape);
        Key {
            family: spec.family(),
            loss: spec.name(),
            pass: problem.pass,
            n_classes: shape.n_classes,
            inner: shape.inner,
            storage: [Slot::Logits, Slot::Targets, Slot::Dlogits].map(|slot| problem.storage(slot)),
            side: spec.rows().side.bits(),
        }
    }
}

impl Tuned {
    pub fn get(&self, problem: &Problem) -> Option<Caps> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).get(&Key::of(problem)).cloned()
    }

    #[cfg(not(target_arch = "wasm32"))]
    pub fn put(&self, problem: &Problem, caps: Caps) {
        self.found.lock().unwrap_or_else(PoisonError::into_inner).insert(Key::of(problem), caps);
    }
}

#[cfg(test)]
mod tests {
    use super::Key;
    use crate::loss::{Loss, Pass};
    use crate::{CrossEntropy, Entropy, Form, KlDivergence, Problem, Shape, Side, Storage};

    fn key(loss: impl Into<Loss>, pass: Pass, shape: Shape) -> Key {
        Key::of(&Problem::new(loss.into(), pass, shape).expect("a sound problem"))
    }

    #[test]
    fn what_was_found_is_for_any_number_of_rows_and_one_of_all_else() {
        let (kl, shape) = (KlDivergence::from_logits(Form::Probs), Shape::new(6, 5));
        let found = key(kl.clone(), Pass::Forward, shape);
        assert_eq!(key(kl.clone(), Pass::Forward, Shape::new(60, 5)), found);
        let others = [
            key(CrossEntropy::new(), Pass::Forward, shape),
            key(Entropy::of_logits(), Pass::Forward, shape),
            key(KlDivergence::from_logits(Form::Logits), Pass::Forward, shape),
            key(kl.clone().side(Side::new().lse()), Pass::Forward, shape),
            key(kl.clone(), Pass::ForwardBackward, shape),
            key(kl.clone(), Pass::Backward, shape),
            key(kl.clone(), Pass::Forward, Shape::new(6, 4)),
            key(kl.clone(), Pass::Forward, Shape::planes(2, 5, 3)),
            key(kl.clone(), Pass::Forward, shape.storage(Storage::F16)),
            key(kl.clone(), Pass::Forward, shape.logits_storage(Storage::Bf16)),
        ];
        for (i, other) in others.iter().enumerate() {
            assert_ne!(*other, found);
            assert!(!others[..i].contains(other), "{other:?} twice");
        }
    }
}
