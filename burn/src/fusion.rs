//! What fusion is told of a call's results before it runs.

use burn::backend::fusion::custom::TensorSpec;
use burn::tensor::DType;

use crate::call::Call;
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
        (Call::losses_spec(logits, targets, call), TensorSpec::new(call.row_state(), DType::F32))
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
