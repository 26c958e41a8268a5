use candle_core::{Device, Result, Tensor, Var};
use candle_nn::loss::cross_entropy;
use surprisal_peers::{Batch, Results};

/// candle's cross-entropy and its gradient, on the CPU.
pub struct Theirs {
    logits: Var,
    labels: Tensor,
}

impl Theirs {
    pub fn new(batch: &Batch) -> Result<Theirs> {
        let logits = Tensor::from_slice(&batch.logits, (batch.n_rows, batch.n_classes), &Device::Cpu)?;
        let labels = Tensor::from_iter(batch.labels.iter().map(|&label| label as u32), &Device::Cpu)?;
        Ok(Theirs { logits: Var::from_tensor(&logits)?, labels })
    }

    pub fn run(&self) {
        self.evaluate().expect("it has been run for its results");
    }

    pub fn results(&self) -> Results {
        let read = |(loss, dlogits): (Tensor, Tensor)| Ok((loss.to_scalar()?, dlogits.flatten_all()?.to_vec1()?));
        self.evaluate().and_then(read).expect("a label for each row")
    }

    fn evaluate(&self) -> Result<(Tensor, Tensor)> {
        let loss = cross_entropy(&self.logits, &self.labels)?;
        let dlogits = loss.backward()?.remove(&self.logits).expect("the logits are a variable");
        Ok((loss, dlogits))
    }
}
