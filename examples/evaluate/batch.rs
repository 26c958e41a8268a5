//! What a network would hand over: logits for a batch of positions, and the characters that came.

use std::ops::Range;

use crate::{ngram::Ngram, sums::Sums, text::Text};

/// Positions of the text as both models see them.
pub struct Batch {
    /// `[n]`
    pub targets: Vec<u32>,
    /// `[n, V]`, of each model.
    pub logits: [Vec<f32>; 2],
    /// What each model's sums over the batch must come to.
    pub by_definition: [Sums; 2],
}

impl Batch {
    /// Both models' predictions, each position's from the characters before it.
    pub fn predict(models: &[Ngram<'_>; 2], text: &Text, positions: Range<usize>) -> Batch {
        let targets = text.ids[positions.clone()].to_vec();
        let (mut logits, mut by_definition) = ([Vec::new(), Vec::new()], [Sums::default(); 2]);
        for (position, &target) in positions.zip(&targets) {
            let [p, q] = models.each_ref().map(|model| model.probs(&text.ids[..position]));
            for (logits, probs) in logits.iter_mut().zip([&p, &q]) {
                // Log-probabilities are logits as good as any.
                logits.extend(probs.iter().map(|p| p.ln() as f32));
            }
            by_definition[0] += Sums::by_definition(&p, &q, target);
            by_definition[1] += Sums::by_definition(&q, &p, target);
        }
        Batch { targets, logits, by_definition }
    }
}
