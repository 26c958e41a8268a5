use rayon::prelude::*;
use surprisal_peers::Batch;

/// Elements to a task: 1 MiB, far more than a task's cost.
const CHUNK: usize = 1 << 18;

/// The logits' bytes from one allocation to another, by all threads.
pub struct Copy<'a> {
    from: &'a [f32],
    to: Vec<f32>,
}

impl Copy<'_> {
    pub fn new(batch: &Batch) -> Copy<'_> {
        Copy { from: &batch.logits, to: vec![0.0; batch.logits.len()] }
    }

    pub fn run(&mut self) {
        let chunks = self.to.par_chunks_mut(CHUNK).zip(self.from.par_chunks(CHUNK));
        chunks.for_each(|(to, from)| to.copy_from_slice(from));
    }
}
