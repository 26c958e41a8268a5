//! In host memory, on surprisal's CPU engine.

use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, ops::FloatTensorOps};
use burn::tensor::{DType, Element, Shape, TensorData};
use surprisal::{Inputs, Output, Pass};

use crate::call::{Call, CallEngine};
use crate::ops::{HalfOps, LossOps};
use crate::targets::Targets;

impl LossOps for Flex {
    fn loss(logits: FloatTensor<Self>, targets: Targets<Self>, call: Call) -> FloatTensor<Self> {
        tensor(evaluate(&call, logits, targets, None).values, call.losses)
    }
}

impl HalfOps for Flex {
    fn forward(
        logits: FloatTensor<Self>,
        targets: Targets<Self>,
        call: Call,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let output = evaluate(&call, logits, targets, None);
        // Of an elementwise loss there is none.
        let row_state = output.row_state.unwrap_or_default();
        let len = row_state.len();
        (tensor(output.values, call.losses), tensor(row_state, [len].into()))
    }

    fn backward(
        logits: FloatTensor<Self>,
        targets: Targets<Self>,
        row_state: FloatTensor<Self>,
        dloss: FloatTensor<Self>,
        call: Call,
    ) -> FloatTensor<Self> {
        let shape = logits.layout().shape().clone();
        let output = evaluate(&call, logits, targets, Some([row_state, dloss]));
        tensor(output.dlogits.expect("a backward pass has it"), shape)
    }
}

/// The backward pass where there is `[row_state, dloss]`, the forward pass otherwise.
///
/// # Panics
/// Where the engine refuses what the tensors hold: a label that is no class, a negative probability.
fn evaluate(
    call: &Call,
    logits: FloatTensor<Flex>,
    targets: Targets<Flex>,
    saved: Option<[FloatTensor<Flex>; 2]>,
) -> Output {
    let CallEngine::Cpu(engine) = &call.engine else { unreachable!("a Flex tensor's engine is the CPU's") };
    let logits = logits.into_data();
    let (targets, weights) = targets.into_parts();
    let targets = targets.into_data();
    let weights = weights.map(|(weights, broadcast)| (weights.into_data(), broadcast));
    let saved = saved.map(|saved| saved.map(|tensor| tensor.into_data()));

    let inputs = Inputs::new(slice::<f32>(&logits));
    let mut inputs = match targets.dtype() {
        DType::I32 => inputs.targets(slice::<i32>(&targets)),
        DType::U32 => inputs.targets(slice::<u32>(&targets)),
        DType::I64 => inputs.targets(slice::<i64>(&targets)),
        _ => inputs.targets(slice::<f32>(&targets)),
    };
    if let Some((weights, broadcast)) = &weights {
        inputs = inputs.weights(slice(weights), *broadcast);
    }
    let pass = match &saved {
        None => Pass::Forward,
        Some([row_state, dloss]) => {
            let row_state = slice(row_state);
            inputs = if row_state.is_empty() { inputs } else { inputs.row_state(row_state) };
            inputs = inputs.dloss(slice::<f32>(dloss));
            Pass::Backward
        }
    };
    let output = engine.evaluate(&call.loss, pass, call.shape, inputs);
    output.unwrap_or_else(|error| panic!("surprisal: {error}"))
}

fn slice<E: Element>(data: &TensorData) -> &[E] {
    data.as_slice().expect("a call's tensors have the types it asks for")
}

fn tensor(values: Vec<f32>, shape: Shape) -> FloatTensor<Flex> {
    Flex::float_from_data(TensorData::new(values, shape), &Default::default())
}
