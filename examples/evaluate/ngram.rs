//! Language models that count: what came after the last few characters, as often as it did.
//!
//! Interpolated (Witten & Bell 1991, method C): with h the last n characters, h' all of them but the first, and d how
//! many different characters were seen after h, `p_n(c|h) = (count(hc) + d p_(n-1)(c|h')) / (count(h) + d)`, down to
//! `p_(-1) = 1/V`. What was never seen is left to shorter contexts, and nothing has probability 0.

use std::collections::HashMap;

/// A model of characters after `order` others.
pub struct Ngram<'a> {
    pub order: usize,
    /// V
    n_classes: usize,
    /// By context, of 0 to `order` characters.
    followers: HashMap<&'a [u32], Followers>,
}

/// What was seen after a context.
#[derive(Default)]
struct Followers {
    /// By character; those that were seen alone.
    counts: HashMap<u32, u32>,
    total: u32,
}

impl<'a> Ngram<'a> {
    /// Counts in a text of ids below `n_classes`.
    pub fn train(text: &'a [u32], n_classes: usize, order: usize) -> Self {
        let mut followers: HashMap<&[u32], Followers> = HashMap::new();
        for (position, &id) in text.iter().enumerate() {
            for n in 0..=order.min(position) {
                let seen = followers.entry(&text[position - n..position]).or_default();
                *seen.counts.entry(id).or_default() += 1;
                seen.total += 1;
            }
        }
        Ngram { order, n_classes, followers }
    }

    /// The probability of each character after those before it: `[V]`.
    pub fn probs(&self, before: &[u32]) -> Vec<f64> {
        let mut probs = vec![1.0 / self.n_classes as f64; self.n_classes];
        for n in 0..=self.order.min(before.len()) {
            // A context that is new makes every longer one new.
            let Some(seen) = self.followers.get(&before[before.len() - n..]) else { break };
            let d = seen.counts.len() as f64;
            let all = f64::from(seen.total) + d;
            probs.iter_mut().for_each(|p| *p *= d / all);
            seen.counts.iter().for_each(|(&id, &count)| probs[id as usize] += f64::from(count) / all);
        }
        probs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Text;

    #[test]
    fn probabilities_are_positive_and_sum_to_one() {
        let text = Text::new("she sells sea shells by the sea shore, and the shells she sells are sea shells for sure");
        let model = Ngram::train(text.learned(), text.alphabet.len(), 3);
        for position in 0..text.ids.len() {
            let probs = model.probs(&text.ids[..position]);
            assert!(probs.iter().all(|&p| p > 0.0));
            assert!((probs.iter().sum::<f64>() - 1.0).abs() < 1e-12, "position {position}");
        }
    }

    #[test]
    fn abab_has_the_probabilities_worked_out_by_hand() {
        let [a, b, c] = [0, 1, 2];
        let abab = [a, b, a, b];
        let model = Ngram::train(&abab, 3, 1);
        let assert_probs = |before: &[u32], expected: [f64; 3]| {
            for (found, expected) in model.probs(before).into_iter().zip(expected) {
                assert!((found - expected).abs() < 1e-15, "{found} after {before:?}, expected {expected}");
            }
        };
        // After nothing, a and b twice each: (2 + 2/3)/6, and for c (2/3)/6.
        let p_0 = [4.0 / 9.0, 4.0 / 9.0, 1.0 / 9.0];
        assert_probs(&[], p_0);
        // After a, b twice: (0 + p_0)/3 and (2 + p_0)/3.
        assert_probs(&[b, a], [p_0[0] / 3.0, (2.0 + p_0[1]) / 3.0, p_0[2] / 3.0]);
        // After b, a once.
        assert_probs(&[b], [(1.0 + p_0[0]) / 2.0, p_0[1] / 2.0, p_0[2] / 2.0]);
        // After c, nothing: all is left to the shorter context.
        assert_probs(&[a, c], p_0);
    }
}
