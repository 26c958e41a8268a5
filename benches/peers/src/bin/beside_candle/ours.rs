use surprisal::{CrossEntropy, Engine, Inputs, Output, Pass, Shape};
use surprisal_peers::{Batch, Results};

/// surprisal's cross-entropy and its gradient, on the CPU.
pub struct Ours<'a> {
    engine: Engine,
    batch: &'a Batch,
}

impl Ours<'_> {
    pub fn new(batch: &Batch) -> Ours<'_> {
        Ours { engine: Engine::cpu(), batch }
    }

    pub fn run(&self) {
        self.evaluate();
    }

    pub fn results(&self) -> Results {
        let out = self.evaluate();
        (out.values[0], out.dlogits.expect("the pass has a gradient"))
    }

    fn evaluate(&self) -> Output {
        let Batch { n_rows, n_classes, logits, labels } = self.batch;
        let inputs = Inputs::new(logits).targets(labels);
        let shape = Shape::new(*n_rows, *n_classes);
        self.engine.evaluate(CrossEntropy::new(), Pass::ForwardBackward, shape, inputs).expect("a label for each row")
    }
}
