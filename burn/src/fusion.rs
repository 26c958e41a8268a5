//! What fusion is told of a call's results before it runs.

use burn::backend::fusion::custom::TensorSpec;
use burn::tensor::DType;

use crate::call::{Call, CallEngine};
use crate::targets::TargetsMetadata;

impl Call {
    pub(crate) fn losses_spec(_logits: &TensorSpec, _targets: &TargetsMetadata, call: &Call) -> TensorSpec {
        TensorSpec::new(call.losses.clone(), DType::F32)
    }

    /// Losses and row state.
    pub(crate) fn forward_specs(
        logits: &TensorSpec,
        targets: &TargetsMetadata,
        call: &Call,
    ) -> (TensorSpec, TensorSpec) {
        let CallEngine::Gpu(_, plan) = &call.engine else { unreachable!("fusion has Cube tensors alone") };
        let row_state = TensorSpec::new([plan.row_state_len()].into(), DType::F32);
        (Call::losses_spec(logits, targets, call), row_state)
    }

    pub(crate) fn dlogits_spec(
        logits: &TensorSpec,
        _targets: &TargetsMetadata,
        _row_state: &TensorSpec,
        _dloss: &TensorSpec,
        _call: &Call,
    ) -> TensorSpec {
        logits.clone()
    }
}
