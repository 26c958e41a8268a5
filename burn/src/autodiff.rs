use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind, unary};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend};

use crate::call::Call;
use crate::ops::{HalfOps, LossOps};
use crate::targets::Targets;

/// From the losses' gradient to that of the logits; targets and weights are constants.
#[derive(Debug)]
struct LossBackward;

impl<B: HalfOps> Backward<B, 1> for LossBackward {
    /// Logits, targets, row state.
    type State = (FloatTensor<B>, Targets<B>, FloatTensor<B>, Call);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let (logits, targets, row_state, call) = ops.state;
        unary::<B, _>(ops.parents, ops.node, grads, |dloss| B::backward(logits, targets, row_state, dloss, call));
    }
}

impl<B: LossOps + HalfOps, C: CheckpointStrategy> LossOps for Autodiff<B, C> {
    fn loss(logits: FloatTensor<Self>, targets: Targets<Self>, call: Call) -> FloatTensor<Self> {
        let targets: Targets<B> = targets.map(|tensor: FloatTensor<Self>| tensor.into_primitive());
        if !logits.is_tracked() {
            return Self::from_inner(B::loss(logits.into_primitive(), targets, call));
        }
        let (logits, node) = logits.into_parts();
        let (losses, row_state) = B::forward(logits.clone(), targets.clone(), call.clone());
        match LossBackward.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish((logits, targets, row_state, call), losses),
            OpsKind::UnTracked(prep) => prep.finish(losses),
        }
    }
}
