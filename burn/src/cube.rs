//! On burn's wgpu device, in its buffers.
//!
//! cubecl records its kernels in an encoder of its own, one per stream, and submits it when it likes. What we submit has
//! to come after what wrote our inputs and before what reads our outputs:
//!
//! - `get_resource` runs and submits all that is queued on the caller's stream and on the one the tensor was made on
//!   (`SchedulerMultiStream::execute_streams`), so it is asked for last, when every input is packed and every output
//!   allocated;
//! - whatever uses an output is queued after we return, hence submitted after us: one queue is in order.
//!
//! A resource that is held is neither freed, handed out again nor moved (`ManagedResource`). Ours are dropped after the
//! submission: from then on memory that is handed out again is written by later submissions.

use burn::backend::{TensorMetadata, tensor::FloatTensor};
use burn::tensor::{DType, Shape};
use burn_cubecl::cubecl::wgpu::{AutoCompiler, WgpuResource, WgpuServer};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::numeric::empty_device_contiguous_dtype;
use burn_cubecl::{CubeBackend, tensor::CubeTensor};
use cubecl_runtime::storage::ManagedResource;
use surprisal::wgpu::BufferSlice;
use surprisal::{Broadcast, Buffers, GpuEngine, Pass, Plan};

use crate::call::{Call, CallEngine};
use crate::ops::{HalfOps, LossOps};
use crate::targets::Targets;

impl LossOps for CubeBackend {
    fn loss(logits: FloatTensor<Self>, targets: Targets<Self>, call: Call) -> FloatTensor<Self> {
        let (engine, plan) = call.gpu();
        let losses = empty_beside(&logits, call.losses.clone());
        let (inputs, values) = (Inputs::of(logits, targets), Memory::of(&losses));
        submit(engine, plan, &inputs.buffers().values(values.slice()));
        losses
    }
}

impl HalfOps for CubeBackend {
    fn forward(
        logits: FloatTensor<Self>,
        targets: Targets<Self>,
        call: Call,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let (engine, plan) = call.gpu();
        let losses = empty_beside(&logits, call.losses.clone());
        let row_state = empty_beside(&logits, call.row_state());
        let (inputs, values, state) = (Inputs::of(logits, targets), Memory::of(&losses), Memory::of(&row_state));
        submit(engine, plan, &state.as_row_state(plan, inputs.buffers().values(values.slice())));
        (losses, row_state)
    }

    fn backward(
        logits: FloatTensor<Self>,
        targets: Targets<Self>,
        row_state: FloatTensor<Self>,
        dloss: FloatTensor<Self>,
        call: Call,
    ) -> FloatTensor<Self> {
        let (engine, _) = call.gpu();
        let plan = engine.plan(&call.loss, Pass::Backward, call.shape);
        let plan = plan.unwrap_or_else(|error| panic!("surprisal: {error}"));
        let (gradient, dloss) = (empty_beside(&logits, logits.shape()), into_contiguous(dloss));
        let (inputs, dlogits) = (Inputs::of(logits, targets), Memory::of(&gradient));
        let (state, dloss) = (Memory::of(&row_state), Memory::of(&dloss));
        let buffers = inputs.buffers().dloss(dloss.slice()).dlogits(dlogits.slice());
        submit(engine, &plan, &state.as_row_state(&plan, buffers));
        gradient
    }
}

impl Call {
    fn gpu(&self) -> (&GpuEngine, &Plan) {
        let CallEngine::Gpu(engine, plan) = &self.engine else {
            unreachable!("a Cube tensor's engine is its device's")
        };
        (engine, plan)
    }

    /// Shape of the row state; one number that nobody reads where the loss has none, as tensors are not empty.
    pub(crate) fn row_state(&self) -> Shape {
        let (_, plan) = self.gpu();
        [plan.row_state_len().max(1)].into()
    }
}

/// What every call reads.
struct Inputs {
    logits: Memory,
    targets: Memory,
    weights: Option<(Memory, Broadcast)>,
}

impl Inputs {
    fn of(logits: CubeTensor, targets: Targets<CubeBackend>) -> Inputs {
        let (targets, weights) = targets.into_parts();
        let (logits, targets) = (into_contiguous(logits), into_contiguous(targets));
        let weights = weights.map(|(weights, broadcast)| (into_contiguous(weights), broadcast));
        Inputs {
            logits: Memory::of(&logits),
            targets: Memory::of(&targets),
            weights: weights.map(|(weights, broadcast)| (Memory::of(&weights), broadcast)),
        }
    }

    fn buffers(&self) -> Buffers<'_> {
        let buffers = Buffers::new(self.logits.slice()).targets(self.targets.slice());
        match &self.weights {
            Some((weights, broadcast)) => buffers.weights(weights.slice(), *broadcast),
            None => buffers,
        }
    }
}

/// A contiguous tensor's bytes, and the hold that keeps them its own.
struct Memory(ManagedResource<WgpuResource>);

impl Memory {
    /// # Panics
    /// If the device is lost, or what was to write the tensor failed.
    fn of(tensor: &CubeTensor) -> Memory {
        let resource = tensor.client.get_resource::<WgpuServer<AutoCompiler>>(tensor.handle.clone());
        Memory(resource.unwrap_or_else(|error| panic!("surprisal-burn: no memory of {tensor:?}: {error}")))
    }

    fn slice(&self) -> BufferSlice<'_> {
        let WgpuResource { buffer, offset, size, .. } = self.0.resource();
        buffer.slice(*offset..offset + size)
    }

    /// Adds the row state to the slices of a loss that has one.
    fn as_row_state<'a>(&'a self, plan: &Plan, buffers: Buffers<'a>) -> Buffers<'a> {
        if plan.row_state_len() == 0 { buffers } else { buffers.row_state(self.slice()) }
    }
}

/// f32 of this shape that nobody has written, beside a tensor.
fn empty_beside(tensor: &CubeTensor, shape: Shape) -> CubeTensor {
    empty_device_contiguous_dtype(tensor.client.clone(), tensor.device.clone(), shape, DType::F32)
}

/// Binds, records and submits; nothing is waited for.
///
/// # Panics
/// If the device has no room, or is lost.
fn submit(engine: &GpuEngine, plan: &Plan, buffers: &Buffers<'_>) {
    let bound = plan.bind(buffers).unwrap_or_else(|error| panic!("surprisal: {error}"));
    let mut encoder = engine.device().create_command_encoder(&Default::default());
    bound.record(&mut encoder);
    engine.queue().submit([encoder.finish()]);
}
