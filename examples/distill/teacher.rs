//! The teacher, a language model that counts; and what is kept of it for a student.
//!
//! With h the last n characters and h' all of them but the first, `p_n(c|h) = (count(hc) + A p_(n-1)(c|h')) /
//! (count(h) + A)` (MacKay & Peto 1995), from `p_0 = 1/C` up to the longest context that was seen.

use std::collections::{BTreeMap, HashMap};

use surprisal::half::f16;

use crate::text::N_CLASSES;

/// Characters that it looks back.
const ORDER: usize = 5;
/// How many times a context has to be seen to weigh as much as the shorter one.
const A: f64 = 2.0;

pub struct Teacher<'a> {
    /// How often a character came after a context.
    counts: HashMap<&'a [u8], BTreeMap<u8, u32>>,
}

/// A teacher's likeliest classes for rows of text, as they are stored: 6 bytes per class.
pub struct TopK {
    pub k: usize,
    /// `[n, k]`
    pub ids: Vec<i32>,
    /// `[n, k]`
    pub probs: Vec<f16>,
}

impl<'a> Teacher<'a> {
    pub fn train(sequences: &'a [Vec<u8>]) -> Self {
        let mut counts: HashMap<&[u8], BTreeMap<u8, u32>> = HashMap::new();
        for sequence in sequences {
            for (position, &class) in sequence.iter().enumerate() {
                for n in 1..=ORDER.min(position) {
                    let seen = counts.entry(&sequence[position - n..position]).or_default();
                    *seen.entry(class).or_default() += 1;
                }
            }
        }
        Teacher { counts }
    }

    pub fn n_counts(&self) -> usize {
        self.counts.values().map(BTreeMap::len).sum()
    }

    /// The probability of each character after those before it.
    fn probs(&self, before: &[u8]) -> [f64; N_CLASSES] {
        let mut probs = [1.0 / N_CLASSES as f64; N_CLASSES];
        for n in 1..=ORDER.min(before.len()) {
            let Some(seen) = self.counts.get(&before[before.len() - n..]) else { break };
            let all = A + f64::from(seen.values().sum::<u32>());
            probs.iter_mut().for_each(|p| *p *= A / all);
            seen.iter().for_each(|(&class, &count)| probs[usize::from(class)] += f64::from(count) / all);
        }
        probs
    }

    /// `[n, N_CLASSES]`, for every position of the sequences.
    pub fn log_probs(&self, sequences: &[Vec<u8>]) -> Vec<f32> {
        let positions = sequences.iter().flat_map(|sequence| (0..sequence.len()).map(|end| &sequence[..end]));
        positions.flat_map(|before| self.probs(before)).map(|p| p.ln() as f32).collect()
    }
}

impl TopK {
    /// The k likeliest classes of each row of log-probabilities `[n, N_CLASSES]`, with the probabilities that they have
    /// at this temperature: a divergence applies its own to logits alone.
    pub fn of(log_probs: &[f32], k: usize, temperature: f32) -> TopK {
        let (mut ids, mut probs) = (Vec::new(), Vec::new());
        for row in log_probs.chunks_exact(N_CLASSES) {
            let softened: Vec<f32> = row.iter().map(|log_p| (log_p / temperature).exp()).collect();
            let sum: f32 = softened.iter().sum();
            let mut classes: Vec<usize> = (0..N_CLASSES).collect();
            classes.sort_by(|&a, &b| row[b].total_cmp(&row[a]));
            ids.extend(classes[..k].iter().map(|&class| class as i32));
            probs.extend(classes[..k].iter().map(|&class| f16::from_f32(softened[class] / sum)));
        }
        TopK { k, ids, probs }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_those_worked_out_by_hand() {
        let sequences = [vec![0, 1, 0, 1, 0]];
        let teacher = Teacher::train(&sequences);
        // After a 0, a 1 twice; after 1 0, a 1 once.
        let p_1 = (2.0 + A / N_CLASSES as f64) / (2.0 + A);
        let p_2 = (1.0 + A * p_1) / (1.0 + A);
        let probs = teacher.probs(&[1, 0]);
        assert!((probs[1] - p_2).abs() < 1e-15, "found {}, expected {p_2}", probs[1]);
        assert!((probs.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_likeliest_are_kept_softened() {
        let mut row = [f32::NEG_INFINITY; N_CLASSES];
        (row[3], row[7], row[8]) = (0.64_f32.ln(), 0.04_f32.ln(), 0.32_f32.ln());
        let top_k = TopK::of(&row, 2, 2.0);
        assert_eq!(top_k.ids, [3, 8]);
        let sum = 0.8 + 0.2 + 0.32_f32.sqrt();
        let expected = [0.8 / sum, 0.32_f32.sqrt() / sum];
        for (found, expected) in top_k.probs.iter().zip(expected) {
            assert!((found.to_f32() - expected).abs() < 1e-3, "found {found}, expected {expected}");
        }
    }
}
