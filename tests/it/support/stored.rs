use std::sync::OnceLock;

use surprisal::half::{bf16, f16};
use surprisal::{Numbers, Storage};

/// What a case's tensors are where f32 and i32 do not serve.
#[derive(Debug)]
pub struct Stored {
    pub logits: Option<Packed>,
    pub values: Option<Packed>,
    pub target_probs: Option<Packed>,
    pub dloss: Option<Packed>,
    pub labels: Option<Vec<i64>>,
    pub teacher_ids: Option<Vec<i64>>,
}

/// Made when first asked for. A clone is made to be changed, and starts anew.
#[derive(Debug, Default)]
pub struct Memo(pub OnceLock<Stored>);

impl Clone for Memo {
    fn clone(&self) -> Self {
        Memo::default()
    }
}

#[derive(Debug)]
pub enum Packed {
    Bf16(Vec<bf16>),
    F16(Vec<f16>),
}

impl Packed {
    pub fn new(numbers: &[f32], storage: Storage) -> Option<Packed> {
        match storage {
            Storage::F32 => None,
            Storage::Bf16 => Some(Packed::Bf16(numbers.iter().copied().map(bf16::from_f32).collect())),
            Storage::F16 => Some(Packed::F16(numbers.iter().copied().map(f16::from_f32).collect())),
        }
    }
}

/// A tensor as it is stored.
pub fn stored<'a>(numbers: &'a [f32], packed: &'a Option<Packed>) -> Numbers<'a> {
    match packed {
        None => numbers.into(),
        Some(Packed::Bf16(numbers)) => numbers.into(),
        Some(Packed::F16(numbers)) => numbers.into(),
    }
}

/// What it holds then, as f32.
pub fn widened(numbers: &[f32], packed: &Option<Packed>) -> Vec<f32> {
    match packed {
        None => numbers.to_vec(),
        Some(Packed::Bf16(numbers)) => numbers.iter().copied().map(bf16::to_f32).collect(),
        Some(Packed::F16(numbers)) => numbers.iter().copied().map(f16::to_f32).collect(),
    }
}
