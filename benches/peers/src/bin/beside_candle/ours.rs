use surprisal::{CrossEntropy, Engine, Inputs, Output, Pass, Shape};
use surprisal_peers::{Batch, Results};

/// surprisal's cross-entropy and its gradient, on the CPU.
pub struct Ours<'a> {
    engine: Engine,
    batch: &'a Batch,
    output: Output,
}

impl Ours<'_> {
    pub fn new(batch: &Batch) -> Ours<'_> {
        Ours { engine: Engine::cpu(), batch, output: Output::default() }
    }

    /// Into the memory of the run before.
    pub fn run(&mut self) {
        let Batch { n_rows, n_classes, logits, labels } = self.batch;
        let inputs = Inputs::new(logits).targets(labels);
        let (loss, shape) = (CrossEntropy::new(), Shape::new(*n_rows, *n_classes));
        let evaluated = self.engine.evaluate_into(loss, Pass::ForwardBackward, shape, inputs, &mut self.output);
        evaluated.expect("a label for each row");
    }

    /// Into new memory, as candle's.
    pub fn run_afresh(&mut self) {
        self.output = Output::default();
        self.run();
    }

    pub fn results(&mut self) -> Results {
        self.run_afresh();
        let Output { values, dlogits, .. } = &self.output;
        (values[0], dlogits.clone().expect("the pass has a gradient"))
    }
}
