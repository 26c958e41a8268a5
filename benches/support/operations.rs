use surprisal::reference::{self, Evaluation};
use surprisal::{
    BinaryCrossEntropy, Bound, Buffers, CrossEntropy, Distillation, Entropy, Error, Form, GpuEngine, Inputs,
    JensenShannon, KlDivergence, Loss, NegativeLogLikelihood, Pass, Plan, Problem, ReverseKlDivergence, Shape,
    SigmoidFocal, SoftCrossEntropy, SoftmaxFocal, Storage, TotalVariation, wgpu,
};

use crate::tensors::{Rows, Tensors};

/// What is timed, with the tensors it reads.
pub struct Operation {
    name: &'static str,
    pub loss: Loss,
    /// What the logits are.
    input: Form,
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
    /// Class indices, and a teacher's logits beside them.
    LabelsAndLogits,
}

/// An operation on a set of tensors.
pub struct Case<'a> {
    pub operation: &'a Operation,
    pub pass: Pass,
    pub tensors: &'a Tensors,
}

/// Every operation.
pub fn all() -> Vec<Operation> {
    let of = |input| move |name, loss, targets| Operation { name, loss, input, targets };
    let (operation, of_log_probs, of_probs) = (of(Form::Logits), of(Form::LogProbs), of(Form::Probs));
    let distillation = Distillation::new(CrossEntropy::new(), KlDivergence::from_logits(Form::Logits));
    vec![
        operation("log_softmax", Loss::LogSoftmax, Targets::None),
        operation("softmax", Loss::Softmax, Targets::None),
        cross_entropy(),
        operation("soft_cross_entropy", SoftCrossEntropy::new().into(), Targets::Probs),
        of_log_probs("negative_log_likelihood", NegativeLogLikelihood::new().into(), Targets::Labels),
        operation("kl_divergence", KlDivergence::from_logits(Form::Logits).into(), Targets::Logits),
        of_log_probs("kl_of_log_probs", KlDivergence::from_log_probs(Form::Probs).into(), Targets::Probs),
        operation("reverse_kl_divergence", ReverseKlDivergence::from_logits(Form::Logits).into(), Targets::Logits),
        operation("jensen_shannon", JensenShannon::from_logits(Form::Logits).into(), Targets::Logits),
        operation("total_variation", TotalVariation::from_logits(Form::Logits).into(), Targets::Logits),
        operation("softmax_focal", SoftmaxFocal::new(2.0).into(), Targets::Labels),
        operation("binary_cross_entropy", BinaryCrossEntropy::new().into(), Targets::Probs),
        of_probs("binary_cross_entropy_of_probs", BinaryCrossEntropy::of_probs().into(), Targets::Probs),
        operation("sigmoid_focal", SigmoidFocal::new(2.0).into(), Targets::Probs),
        operation("entropy", Entropy::of_logits().into(), Targets::None),
        of_probs("distribution_entropy", Entropy::of_probs().into(), Targets::None),
        operation("distillation", distillation.into(), Targets::LabelsAndLogits),
    ]
}

pub fn cross_entropy() -> Operation {
    let loss = CrossEntropy::new().into();
    Operation { name: "cross_entropy", loss, input: Form::Logits, targets: Targets::Labels }
}

impl Operation {
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether the operation has one value per class, not one per batch.
    pub fn is_softmax(&self) -> bool {
        matches!(self.loss, Loss::LogSoftmax | Loss::Softmax)
    }

    /// What it reads of host tensors.
    pub fn inputs<'a>(&self, pass: Pass, host: &'a Rows) -> Inputs<'a> {
        let mut inputs = Inputs::new(match self.input {
            Form::Logits => &host.logits,
            Form::LogProbs => &host.log_probs,
            Form::Probs => &host.probs,
        });
        inputs = match self.targets {
            Targets::None => inputs,
            Targets::Labels => inputs.targets(&host.labels),
            Targets::Probs => inputs.targets(&host.probs),
            Targets::Logits => inputs.targets(&host.others),
            Targets::LabelsAndLogits => inputs.targets(&host.labels).teacher(&host.others),
        };
        inputs.dloss = (self.is_softmax() && pass != Pass::Forward).then(|| (&host.others).into());
        inputs
    }

    /// The reference's results of a forward pass, with or without the gradient.
    pub fn oracle(&self, pass: Pass, host: &Rows) -> Evaluation {
        let shape = Shape::new(host.n_rows, host.logits.len() / host.n_rows);
        let problem = Problem::new(&self.loss, pass, shape).expect("what the engine takes, the reference takes");
        reference::evaluate(&problem, &self.inputs(pass, host))
    }

    /// Values that a row or the batch has: a sum comes with its parts.
    fn values_per_loss(&self) -> usize {
        if matches!(self.loss, Loss::Distillation(_)) { 4 } else { 1 }
    }
}

impl Case<'_> {
    /// The operation on the device's tensors; before a backward pass, `row_state` is what a forward pass makes it.
    pub fn bind(&self, engine: &GpuEngine) -> Result<Bound, Error> {
        let Tensors { shape, ref values, ref row_state, .. } = *self.tensors;
        let plan = self.plan(engine)?;
        if self.pass == Pass::Backward && plan.row_state_len() > 0 {
            let forward = self.inputs().values(values.slice(..)).row_state(row_state.slice(..));
            let forward = engine.plan(&self.operation.loss, Pass::Forward, shape)?.bind(&forward)?;
            let mut encoder = engine.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
            forward.record(&mut encoder);
            engine.queue().submit([encoder.finish()]);
        }
        plan.bind(&self.buffers(&plan))
    }

    pub fn plan(&self, engine: &GpuEngine) -> Result<Plan, Error> {
        engine.plan(&self.operation.loss, self.pass, self.tensors.shape)
    }

    /// What the plan is bound to.
    pub fn buffers(&self, plan: &Plan) -> Buffers<'_> {
        let Tensors { others, values, dlogits, row_state, .. } = self.tensors;
        let mut buffers = self.inputs();
        if self.reads_dloss() {
            buffers = buffers.dloss(others.slice(..));
        }
        if self.pass != Pass::Backward {
            buffers = buffers.values(values.slice(..));
        }
        if self.has_gradient() {
            buffers = buffers.dlogits(dlogits.slice(..));
        }
        if self.pass == Pass::Backward && plan.row_state_len() > 0 {
            buffers = buffers.row_state(row_state.slice(..));
        }
        buffers
    }

    /// What every pass reads.
    fn inputs(&self) -> Buffers<'_> {
        let Tensors { labels, probs, others, .. } = self.tensors;
        let buffers = Buffers::new(self.logits().slice(..));
        match self.operation.targets {
            Targets::None => buffers,
            Targets::Labels => buffers.targets(labels.slice(..)),
            Targets::Probs => buffers.targets(probs.slice(..)),
            Targets::Logits => buffers.targets(others.slice(..)),
            Targets::LabelsAndLogits => buffers.targets(labels.slice(..)).teacher(others.slice(..)),
        }
    }

    /// The reference's results for the distinct rows alone: a gradient is the same from logits as from a row state.
    pub fn oracle(&self) -> Evaluation {
        let pass = if self.has_gradient() { Pass::ForwardBackward } else { Pass::Forward };
        self.operation.oracle(pass, &self.tensors.host)
    }

    /// Values in the result.
    pub fn n_values(&self) -> usize {
        let n_losses = if self.operation.is_softmax() { self.tensors.shape.n_elements() } else { 1 };
        if self.pass == Pass::Backward { 0 } else { n_losses * self.operation.values_per_loss() }
    }

    /// Losses are f32, whatever tensors are.
    pub fn values_storage(&self) -> Storage {
        if self.operation.is_softmax() { self.tensors.shape.values_storage } else { Storage::F32 }
    }

    /// Bytes that have to move: each input once, each output once. The few of a row state are left out, and of given
    /// log-probabilities with labels each row has to be touched for one number.
    pub fn floor(&self) -> u64 {
        let Tensors { labels, probs, others, dlogits, shape, .. } = self.tensors;
        let logits = match self.operation.loss {
            Loss::NegativeLogLikelihood(_) if self.pass == Pass::Backward => 0,
            Loss::NegativeLogLikelihood(_) => (shape.n_rows * shape.logits_storage.bytes()) as u64,
            _ => self.logits().size(),
        };
        let targets = match self.operation.targets {
            Targets::None => 0,
            Targets::Labels => labels.size(),
            Targets::Probs => probs.size(),
            Targets::Logits => others.size(),
            Targets::LabelsAndLogits => labels.size() + others.size(),
        };
        let dloss = if self.reads_dloss() { others.size() } else { 0 };
        let dlogits = if self.has_gradient() { dlogits.size() } else { 0 };
        logits + targets + dloss + dlogits + (self.n_values() * self.values_storage().bytes()) as u64
    }

    pub fn has_gradient(&self) -> bool {
        self.pass != Pass::Forward
    }

    fn logits(&self) -> &wgpu::Buffer {
        match self.operation.input {
            Form::Logits => &self.tensors.logits,
            Form::LogProbs => &self.tensors.log_probs,
            Form::Probs => &self.tensors.probs,
        }
    }

    /// A softmax has no gradient without one from upstream.
    fn reads_dloss(&self) -> bool {
        self.operation.is_softmax() && self.has_gradient()
    }
}

impl std::fmt::Display for Case<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {:?}", self.operation.name(), self.tensors.shape)
    }
}
