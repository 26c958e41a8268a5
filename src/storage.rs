use half::{bf16, f16};

/// How the numbers of a tensor `[N, C]` are stored. Arithmetic is f32 whatever it is: loading is exact, and a result is
/// rounded once, to nearest with ties to even, when it is stored.
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::half::bf16;
/// use surprisal::{CrossEntropy, Engine, Inputs, Pass, Shape, Storage};
///
/// let logits = [2.0, 1.0, 0.125].map(bf16::from_f32);
/// let shape = Shape::new(1, 3).logits_storage(Storage::Bf16); // the gradient stays f32
/// let inputs = Inputs::new(&logits).targets(&[0]);
/// let out = Engine::cpu().evaluate(CrossEntropy::new(), Pass::ForwardBackward, shape, inputs)?;
/// assert!((out.values[0] - 0.419522).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Storage {
    /// 32 bits.
    #[default]
    F32 = 0,
    /// 16 bits: f32 without the lower half of its mantissa.
    Bf16 = 1,
    /// 16 bits: IEEE 754 binary16, from 2^-24 to 65504; what rounds beyond is infinite.
    F16 = 2,
}

impl Storage {
    /// The type's name.
    pub const fn name(self) -> &'static str {
        match self {
            Storage::F32 => "f32",
            Storage::Bf16 => "bf16",
            Storage::F16 => "f16",
        }
    }

    /// Bytes an element takes.
    pub const fn bytes(self) -> usize {
        match self {
            Storage::F32 => 4,
            Storage::Bf16 | Storage::F16 => 2,
        }
    }

    /// The nearest number that can be stored, ties to even.
    pub fn round(self, value: f64) -> f32 {
        match self {
            Storage::F32 => value as f32,
            Storage::Bf16 => bf16::from_f32(odd(value)).to_f32(),
            Storage::F16 => f16::from_f32(odd(value)).to_f32(),
        }
    }

    /// Stored bytes as f32, exactly.
    pub(crate) fn widen(self, bytes: &[u8]) -> Vec<f32> {
        match self {
            Storage::F32 => bytemuck::pod_collect_to_vec(bytes),
            Storage::Bf16 => bytemuck::pod_collect_to_vec::<_, bf16>(bytes).into_iter().map(bf16::to_f32).collect(),
            Storage::F16 => bytemuck::pod_collect_to_vec::<_, f16>(bytes).into_iter().map(f16::to_f32).collect(),
        }
    }
}

/// The f32 on either side of a number that is odd in its last place, or the number itself if it is an f32: rounding
/// that to fewer digits is rounding the number (Boldo & Melquiond 2008).
fn odd(value: f64) -> f32 {
    let nearest = value as f32;
    let error = value - f64::from(nearest);
    if error == 0.0 || !nearest.is_finite() || nearest.to_bits() % 2 == 1 {
        return nearest;
    }
    if error > 0.0 { nearest.next_up() } else { nearest.next_down() }
}

/// How class indices are stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum LabelStorage {
    /// 32 bits: i32, or u32 whose bits are read as i32.
    #[default]
    I32,
    /// 64 bits. A label beyond i32 counts as the nearest i32.
    I64,
}

impl LabelStorage {
    /// The type's name.
    pub const fn name(self) -> &'static str {
        match self {
            LabelStorage::I32 => "i32",
            LabelStorage::I64 => "i64",
        }
    }

    /// Bytes a label takes.
    pub const fn bytes(self) -> usize {
        match self {
            LabelStorage::I32 => 4,
            LabelStorage::I64 => 8,
        }
    }
}
