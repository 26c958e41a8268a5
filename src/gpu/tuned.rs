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
