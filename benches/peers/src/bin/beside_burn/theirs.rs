use burn::nn::loss::{CrossEntropyLoss, CrossEntropyLossConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};

use surprisal_peers::{Batch, Results};

/// burn's cross-entropy and its gradient.
pub struct Theirs {
    device: Device,
    loss: CrossEntropyLoss,
    logits: Tensor<2>,
    labels: Tensor<1, Int>,
}

impl Theirs {
    pub fn new(device: &Device, batch: &Batch) -> Theirs {
        let device = device.clone().autodiff();
        let logits = TensorData::new(batch.logits.clone(), [batch.n_rows, batch.n_classes]);
        let labels = TensorData::new(batch.labels.clone(), [batch.n_rows]);
        Theirs {
            loss: CrossEntropyLossConfig::new().init(&device),
            logits: Tensor::from_data(logits, &device),
            labels: Tensor::from_data(labels, &device),
            device,
        }
    }

    /// Until the queue is idle.
    pub fn run(&self) {
        let (_loss, _dlogits) = self.evaluate();
        self.device.sync().expect("the device is not lost");
    }

    pub fn results(&self) -> Results {
        let (loss, dlogits) = self.evaluate();
        (loss.into_scalar(), dlogits.into_data().try_to_vec().expect("f32"))
    }

    fn evaluate(&self) -> (Tensor<1>, Tensor<2>) {
        let logits = self.logits.clone().require_grad();
        let loss = self.loss.forward(logits.clone(), self.labels.clone());
        let dlogits = logits.grad(&loss.backward()).expect("the logits require one");
        (loss, dlogits)
    }
}
