use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// Values made once per key: callers that want the same one wait for whoever makes it, others do not.
#[derive(Debug)]
pub(super) struct Memo<K, V> {
    entries: Mutex<HashMap<K, Entry<V>>>,
}

/// Empty until its value is made, and locked while it is.
type Entry<V> = Arc<Mutex<Option<V>>>;

impl<K, V> Default for Memo<K, V> {
    fn default() -> Self {
        Memo { entries: Mutex::default() }
    }
}

impl<K: Eq + Hash, V: Clone> Memo<K, V> {
    /// The key's value. What fails to be made is tried again by whoever wants it next.
    pub fn get<E>(&self, key: K, make: impl FnOnce() -> Result<V, E>) -> Result<V, E> {
        let entry = self.entries.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default().clone();
        let mut entry = entry.lock().unwrap_or_else(PoisonError::into_inner);
        match &*entry {
            Some(value) => Ok(value.clone()),
            None => Ok(entry.insert(make()?).clone()),
        }
    }

    /// Keys that were asked for.
    pub fn len(&self) -> usize {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    use super::Memo;

    /// Each is done only when both have begun: made one after the other, this would never end.
    #[test]
    fn values_of_different_keys_are_made_at_the_same_time() {
        let (memo, begun) = (Memo::default(), Barrier::new(2));
        let make = |key: char| {
            memo.get(key, || {
                begun.wait();
                Ok::<_, ()>(key)
            })
        };
        let both = thread::scope(|scope| ['a', 'b'].map(|key| scope.spawn(move || make(key))).map(|t| t.join().ok()));
        assert_eq!(both, [Some(Ok('a')), Some(Ok('b'))]);
    }

    #[test]
    fn a_value_that_many_want_at_once_is_made_once() {
        let (memo, made, ready) = (Memo::default(), AtomicU32::new(0), Barrier::new(8));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    ready.wait();
                    memo.get((), || Ok::<_, ()>(made.fetch_add(1, Ordering::Relaxed)))
                });
            }
        });
        assert_eq!(made.into_inner(), 1);
    }

    #[test]
    fn what_failed_is_made_anew() {
        let memo = Memo::default();
        assert_eq!(memo.get((), || Err("no")), Err("no"));
        assert_eq!(memo.get((), || Ok::<_, &str>(1)), Ok(1));
        assert_eq!(memo.get((), || Err("never made")), Ok(1));
    }
}
