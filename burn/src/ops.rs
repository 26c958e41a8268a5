//! The backend extension: what a backend must be able to do with a [`Call`].

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, backend_extension};

use crate::call::Call;
use crate::targets::Targets;

/// What the losses call, with a backward pass where the backend has autodiff.
#[backend_extension(Cube, Flex, Fusion: cfg(feature = "fusion"), Autodiff)]
pub trait LossOps: Backend {
    /// The losses, of the call's shape.
    #[fusion(meta = Call::losses_spec)]
    fn loss(logits: FloatTensor<Self>, #[extension_type] targets: Targets<Self>, call: Call) -> FloatTensor<Self>;
}

/// The two halves of a tracked call; autodiff ties them together, on whatever backend it wraps.
#[backend_extension(Cube, Flex, Fusion: cfg(feature = "fusion"))]
pub trait HalfOps: Backend {
    /// The losses, and the row state that the backward half starts from.
    #[fusion(meta = Call::forward_specs)]
    fn forward(
        logits: FloatTensor<Self>,
        #[extension_type] targets: Targets<Self>,
        call: Call,
    ) -> (FloatTensor<Self>, FloatTensor<Self>);

    /// The gradient with respect to the logits, of their shape, from `dloss` of the losses' shape.
    #[fusion(meta = Call::dlogits_spec)]
    fn backward(
        logits: FloatTensor<Self>,
        #[extension_type] targets: Targets<Self>,
        row_state: FloatTensor<Self>,
        dloss: FloatTensor<Self>,
        call: Call,
    ) -> FloatTensor<Self>;
}
