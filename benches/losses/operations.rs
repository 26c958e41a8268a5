use surprisal::reference::{self, Evaluation};
use surprisal::{
    BinaryCrossEntropy, Bound, Buffers, CrossEntropy, Entropy, Error, Form, GpuEngine, Inputs, JensenShannon,
    KlDivergence, Loss, Pass, Problem, ReverseKlDivergence, Shape, SigmoidFocal, SoftCrossEntropy, SoftmaxFocal,
    TotalVariation, wgpu,
};

use crate::tensors::Tensors;

/// Bytes of an f32 or an i32.
const WORD: u64 = 4;

/// What is timed, with the tensors it reads beside the logits.
pub struct Operation {
    name: &'static str,
    loss: Loss,
    targets: Targets,
}

/// Which tensor is the targets.
enum Targets {
    None,
    /// Class indices.
    Labels,
    Probs,
    /// A teacher's logits.
    Logits,
}

/// An operation on a set of tensors.
pub struct Case<'a> {
    pub operation: &'a Operation,
    pub pass: Pass,
    pub tensors: &'a Tensors,
}

/// Every operation.
pub fn all() -> Vec<Operation> {
    let operation = |name, loss, targets| Operation { name, loss, targets };
    vec![
        operation("log_softmax", Loss::LogSoftmax, Targets::None),
        operation("softmax", Loss::Softmax, Targets::None),
        cross_entropy(),
        operation("soft_cross_entropy", SoftCrossEntropy::new().into(), Targets::Probs),
        operation("kl_divergence", KlDivergence::from_logits(Form::Logits).into(), Targets::Logits),
        operation("reverse_kl_divergence", ReverseKlDivergence::from_logits(Form::Logits).into(), Targets::Logits),
        operation("jensen_shannon", JensenShannon::from_logits(Form::Logits).into(), Targets::Logits),
        operation("total_variation", TotalVariation::from_logits(Form::Logits).into(), Targets::Logits),
        operation("softmax_focal", SoftmaxFocal::new(2.0).into(), Targets::Labels),
        operation("binary_cross_entropy", BinaryCrossEntropy::new().into(), Targets::Probs),
        operation("sigmoid_focal", SigmoidFocal::new(2.0).into(), Targets::Probs),
        operation("entropy", Entropy::of_logits().into(), Targets::None),
    ]
}

pub fn cross_entropy() -> Operation {
    Operation { name: "cross_entropy", loss: CrossEntropy::new().into(), targets: Targets::Labels }
}

impl Operation {
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether the operation has one value per class, not one per batch.
    pub fn is_softmax(&self) -> bool {
        matches!(self.loss, Loss::LogSoftmax | Loss::Softmax)
    }
}

impl Case<'_> {
    /// The operation on the device's tensors.
    pub fn bind(&self, engine: &GpuEngine) -> Result<Bound, Error> {
        let tensors = self.tensors;
        let mut buffers = Buffers::new(tensors.logits.slice(..)).values(tensors.values.slice(..));
        if let Some(targets) = self.targets() {
            buffers = buffers.targets(targets.slice(..));
        }
        if self.reads_dloss() {
            buffers = buffers.dloss(tensors.others.slice(..));
        }
        if self.pass == Pass::ForwardBackward {
            buffers = buffers.dlogits(tensors.dlogits.slice(..));
        }
        engine.plan(&self.operation.loss, self.pass, tensors.shape)?.bind(&buffers)
    }

    /// The reference's results for the distinct rows alone.
    pub fn oracle(&self) -> Evaluation {
        let host = &self.tensors.host;
        let mut inputs = Inputs::new(&host.logits);
        inputs.targets = match self.operation.targets {
            Targets::None => inputs.targets,
            Targets::Labels => (&host.labels).into(),
            Targets::Probs => (&host.probs).into(),
            Targets::Logits => (&host.others).into(),
        };
        inputs.dloss = self.reads_dloss().then(|| (&host.others).into());
        let shape = Shape::new(host.n_rows, self.tensors.shape.n_classes);
        let problem = Problem::new(&self.operation.loss, self.pass, shape);
        reference::evaluate(&problem.expect("what the engine takes, the reference takes"), &inputs)
    }

    /// Values in the result.
    pub fn n_values(&self) -> usize {
        if self.operation.is_softmax() { self.tensors.shape.n_elements() } else { 1 }
    }

    /// Bytes that have to move: each input once, each output once.
    pub fn floor(&self) -> u64 {
        let tensor = self.tensors.logits.size();
        let targets = self.targets().map_or(0, wgpu::Buffer::size);
        let dloss = if self.reads_dloss() { tensor } else { 0 };
        let dlogits = if self.pass == Pass::ForwardBackward { tensor } else { 0 };
        tensor + targets + dloss + dlogits + self.n_values() as u64 * WORD
    }

    fn targets(&self) -> Option<&wgpu::Buffer> {
        match self.operation.targets {
            Targets::None => None,
            Targets::Labels => Some(&self.tensors.labels),
            Targets::Probs => Some(&self.tensors.probs),
            Targets::Logits => Some(&self.tensors.others),
        }
    }

    /// A softmax has no gradient without one from upstream.
    fn reads_dloss(&self) -> bool {
        self.operation.is_softmax() && self.pass == Pass::ForwardBackward
    }
}
