//! surprisal's part: every batch is begun as soon as it is there, and waited for when enough others are under way.

use std::collections::VecDeque;

use surprisal::{CrossEntropy, Engine, Form, Inputs, KlDivergence, Pass, Pending, Reduction, Shape, Side};

use crate::{Result, batch::Batch, sums::Sums};

/// A stream of batches being evaluated.
pub struct Evaluation<'a> {
    engine: &'a Engine,
    cross_entropy: CrossEntropy,
    divergence: KlDivergence,
    /// Oldest first.
    under_way: VecDeque<[Calls; 2]>,
    most_under_way: usize,
    scores: [Score; 2],
}

/// What came of one model.
#[derive(Default)]
pub struct Score {
    pub sums: Sums,
    /// Of each position in nats, in order.
    pub surprisal: Vec<f32>,
}

/// One batch of one model.
struct Calls {
    cross_entropy: Pending,
    divergence: Pending,
}

impl<'a> Evaluation<'a> {
    pub fn new(engine: &'a Engine, most_under_way: usize) -> Self {
        Evaluation {
            engine,
            // One pass over the logits gives surprisal, entropy and hits, a number per position each.
            cross_entropy: CrossEntropy::new().reduction(Reduction::None).side(Side::new().entropy().top_1()),
            divergence: KlDivergence::from_logits(Form::Logits).reduction(Reduction::None),
            under_way: VecDeque::new(),
            most_under_way,
            scores: Default::default(),
        }
    }

    /// Uploads and submits the batch, which is not needed afterwards; waits for an earlier one if too many are under
    /// way.
    pub fn push(&mut self, batch: &Batch) -> Result<()> {
        if self.under_way.len() == self.most_under_way {
            self.collect_oldest()?;
        }
        let [a, b] = &batch.logits;
        self.under_way.push_back([self.begin(a, b, &batch.targets)?, self.begin(b, a, &batch.targets)?]);
        Ok(())
    }

    /// Waits for the rest.
    pub fn finish(mut self) -> Result<[Score; 2]> {
        while !self.under_way.is_empty() {
            self.collect_oldest()?;
        }
        Ok(self.scores)
    }

    /// Cross-entropy of a model's logits `[n, V]` with the targets `[n]`, and its divergence from the other model's.
    fn begin(&self, logits: &[f32], others: &[f32], targets: &[u32]) -> Result<Calls> {
        let shape = Shape::new(targets.len(), logits.len() / targets.len());
        let labelled = Inputs::new(logits).targets(targets);
        // KL(P||Q) has P, of which the divergence is, as the targets.
        let compared = Inputs::new(others).targets(logits);
        Ok(Calls {
            cross_entropy: self.engine.begin(&self.cross_entropy, Pass::Forward, shape, labelled)?,
            divergence: self.engine.begin(&self.divergence, Pass::Forward, shape, compared)?,
        })
    }

    fn collect_oldest(&mut self) -> Result<()> {
        let Some(batch) = self.under_way.pop_front() else { return Ok(()) };
        for (calls, score) in batch.into_iter().zip(&mut self.scores) {
            let output = calls.cross_entropy.wait()?;
            let side = output.side.expect("side outputs were asked for");
            score.sums += Sums {
                surprisal: sum(&output.values),
                entropy: sum(&side.entropy.expect("entropy was asked for")),
                hits: sum(&side.top_1.expect("top-1 hits were asked for")),
                divergence: sum(&calls.divergence.wait()?.values),
            };
            score.surprisal.extend(output.values);
        }
        Ok(())
    }
}

fn sum(numbers: &[f32]) -> f64 {
    numbers.iter().map(|&number| f64::from(number)).sum()
}
