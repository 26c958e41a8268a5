use std::sync::Arc;

use burn::backend::{Dispatch, DispatchTensor};
use burn::tensor::{DType, Device, Int, Tensor};
use surprisal::{Engine, GpuEngine, LabelStorage, Loss, Pass, Plan, Shape};

use crate::ops::LossOps;
use crate::registry;
use crate::targets::Targets;

/// A loss of tensors of one shape, and who computes it.
#[derive(Clone, Debug)]
pub struct Call {
    pub loss: Loss,
    pub shape: Shape,
    /// Shape of the losses: `[1]`, `[N]`, or the logits'.
    pub losses: burn::tensor::Shape,
    pub engine: CallEngine,
}

/// Who computes a call: the engine of its tensors' device.
#[derive(Clone, Debug)]
pub enum CallEngine {
    /// For tensors in host memory.
    Cpu(Engine),
    /// For a registered device. The plan is that of the forward pass.
    Gpu(GpuEngine, Arc<Plan>),
}

impl Call {
    /// Of logits `[N, C]` with a class index per row; none where burn's own operations must do.
    ///
    /// # Panics
    /// If there is not one target per row, or the loss's options are out of range.
    pub fn with_labels(
        logits: &Tensor<2>,
        targets: &Tensor<1, Int>,
        loss: impl Into<Loss>,
        losses: impl Into<burn::tensor::Shape>,
    ) -> Option<Call> {
        let ([n_rows, n_classes], found) = (logits.dims(), targets.dims());
        assert!(
            found == [n_rows],
            "found targets of shape {found:?}, expected [{n_rows}], one class index per row of the logits \
             {:?}; reshape both to rows, logits to [N, C] and targets to [N]",
            [n_rows, n_classes],
        );
        let storage = match targets.dtype() {
            DType::I32 | DType::U32 => LabelStorage::I32,
            DType::I64 => LabelStorage::I64,
            _ => return None,
        };
        let shape = Shape::new(n_rows, n_classes).label_storage(storage);
        Call::new(&logits.device(), &[logits.dtype()], loss, shape, losses)
    }

    /// Of logits of any rank, whose last dimension is the classes', with a number per class; none where burn's own
    /// operations must do.
    ///
    /// # Panics
    /// If the targets' shape is another, or the loss's options are out of range.
    pub fn with_numbers<const D: usize>(
        logits: &Tensor<D>,
        targets: &Tensor<D>,
        loss: impl Into<Loss>,
        losses: impl Into<burn::tensor::Shape>,
    ) -> Option<Call> {
        let (dims, found) = (logits.dims(), targets.dims());
        assert!(
            found == dims,
            "found targets of shape {found:?}, expected {dims:?}, one number for each of the logits"
        );
        let n_classes = dims.last().copied().unwrap_or(1);
        let n_rows = dims.iter().rev().skip(1).product();
        let dtypes = [logits.dtype(), targets.dtype()];
        Call::new(&logits.device(), &dtypes, loss, Shape::new(n_rows, n_classes), losses)
    }

    fn new(
        device: &Device,
        dtypes: &[DType],
        loss: impl Into<Loss>,
        shape: Shape,
        losses: impl Into<burn::tensor::Shape>,
    ) -> Option<Call> {
        // The kernels store 16 bits too, but burn has a loss in its logits' type, and they have a sum in f32.
        if dtypes.iter().any(|&dtype| dtype != DType::F32) || shape.n_elements() == 0 {
            return None;
        }
        let (loss, losses) = (loss.into(), losses.into());
        let engine = registry::engine(device)?;
        let engine = match engine.gpu() {
            Some(gpu) => {
                let plan = gpu.plan(&loss, Pass::Forward, shape).unwrap_or_else(|error| panic!("surprisal: {error}"));
                CallEngine::Gpu(gpu.clone(), Arc::new(plan))
            }
            None => CallEngine::Cpu(engine),
        };
        Some(Call { loss, shape, losses, engine })
    }

    /// The losses of these logits, recorded for the backward pass where burn tracks them.
    pub fn evaluate<const D: usize>(self, logits: DispatchTensor, targets: Targets<Dispatch>) -> Tensor<D> {
        Tensor::from_dispatch(<Dispatch as LossOps>::loss(logits, targets, self))
    }
}
