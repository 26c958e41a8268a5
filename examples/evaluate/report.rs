//! What the evaluation amounted to, in bits.

use std::f64::consts::LN_2;

use crate::{evaluation::Score, ngram::Ngram, text::Text};

/// Characters shown before and after a surprising one.
const BEFORE: usize = 44;
const AFTER: usize = 16;
const N_PLACES: usize = 3;

/// A line per model. One whose surprisal exceeds its entropy, what it expects, is surer of itself than it should be.
pub fn print_table(models: &[Ngram<'_>; 2], scores: &[Score; 2]) {
    println!();
    println!(
        "{:22} {:>9} {:>11} {:>9} {:>9} {:>14}",
        "per held-out character", "surprisal", "perplexity", "entropy", "accuracy", "KL from other"
    );
    for (model, score) in models.iter().zip(scores) {
        let (n, sums) = (score.surprisal.len() as f64, &score.sums);
        let [surprisal, entropy, divergence] = [sums.surprisal, sums.entropy, sums.divergence].map(|sum| sum / n);
        println!(
            "{:22} {:9.3} {:11.2} {:9.3} {:8.1}% {:14.3}",
            name(model),
            surprisal / LN_2,
            surprisal.exp(),
            entropy / LN_2,
            100.0 * sums.hits / n,
            divergence / LN_2,
        );
    }
    println!("surprisal, entropy and KL(this model || other) in bits");
}

/// Where the second model was taken aback most, the character in brackets, with what it cost both.
pub fn print_surprises(text: &Text, scores: &[Score; 2]) {
    let [other, model] = scores.each_ref().map(|score| &score.surprisal);
    let mut places: Vec<usize> = (0..model.len()).collect();
    places.sort_by(|&a, &b| model[b].total_cmp(&model[a]));
    println!();
    println!("most surprising");
    for &place in places.iter().take(N_PLACES) {
        let position = text.held_out().start + place;
        let before = text.excerpt(position.saturating_sub(BEFORE)..position);
        let after = text.excerpt(position + 1..(position + 1 + AFTER).min(text.ids.len()));
        let [bits, others] = [model, other].map(|nats| f64::from(nats[place]) / LN_2);
        let it = text.excerpt(position..position + 1);
        println!("    {bits:4.1} bits (the other model {others:4.1}): ...{before}[{it}]{after}...");
    }
    println!();
}

pub fn name(model: &Ngram<'_>) -> String {
    format!("after {} characters", model.order)
}
