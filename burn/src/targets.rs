//! What logits are held against, as tensors of any backend.

use burn::backend::tensor::{FloatTensor, IntTensor};
use burn::backend::{Backend, ExtensionType};
use surprisal::Broadcast;

/// A call's targets, and the factors that come with them.
#[derive(ExtensionType)]
#[extension_type(fusion: cfg(feature = "fusion"))]
pub enum Targets<B: Backend> {
    /// A class index per row: i32, u32 or i64.
    Labels(IntTensor<B>),
    /// A number per class: f32.
    Numbers(FloatTensor<B>),
    /// A number per class and a factor on the elements, as the broadcast says: both f32.
    Weighted(FloatTensor<B>, FloatTensor<B>, Broadcast),
}

impl<B: Backend> Targets<B> {
    /// The same with each tensor taken to another backend; one that has the labels' type.
    pub fn map<A>(self, float: impl Fn(FloatTensor<B>) -> FloatTensor<A>) -> Targets<A>
    where
        A: Backend<IntTensorPrimitive = IntTensor<B>>,
    {
        match self {
            Targets::Labels(labels) => Targets::Labels(labels),
            Targets::Numbers(numbers) => Targets::Numbers(float(numbers)),
            Targets::Weighted(numbers, weights, broadcast) => {
                Targets::Weighted(float(numbers), float(weights), broadcast)
            }
        }
    }
}

impl<T, B: Backend<FloatTensorPrimitive = T, IntTensorPrimitive = T>> Targets<B> {
    /// The targets and the factors, where a backend has one type for tensors of all numbers.
    pub fn into_parts(self) -> (T, Option<(T, Broadcast)>) {
        match self {
            Targets::Labels(targets) | Targets::Numbers(targets) => (targets, None),
            Targets::Weighted(numbers, weights, broadcast) => (numbers, Some((weights, broadcast))),
        }
    }
}

// Derived, these would ask the same of `B`.
impl<B: Backend> Clone for Targets<B> {
    fn clone(&self) -> Self {
        match self {
            Targets::Labels(labels) => Targets::Labels(labels.clone()),
            Targets::Numbers(numbers) => Targets::Numbers(numbers.clone()),
            Targets::Weighted(numbers, weights, broadcast) => {
                Targets::Weighted(numbers.clone(), weights.clone(), *broadcast)
            }
        }
    }
}

impl<B: Backend> std::fmt::Debug for Targets<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Targets::Labels(labels) => f.debug_tuple("Labels").field(labels).finish(),
            Targets::Numbers(numbers) => f.debug_tuple("Numbers").field(numbers).finish(),
            Targets::Weighted(numbers, weights, broadcast) => {
                f.debug_tuple("Weighted").field(numbers).field(weights).field(broadcast).finish()
            }
        }
    }
}
