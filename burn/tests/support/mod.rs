//! Batches, and how two computations of one loss are held against each other.

use burn::tensor::{Device, DeviceKind, Int, Tensor, TensorData};

/// Which adapter the tests run on.
pub fn kind() -> DeviceKind {
    match std::env::var("SURPRISAL_ADAPTER").as_deref() {
        Ok("software") => DeviceKind::Cpu,
        _ => DeviceKind::DefaultDevice,
    }
}

/// Logits `[N, C]` in [-4, 4) and what they are held against, by a hash of their index.
pub struct Batch {
    pub logits: Tensor<2>,
    /// `[N]`, 0..C
    pub labels: Tensor<1, Int>,
    /// `[N, C]`, 0 or 1
    pub bits: Tensor<2, Int>,
    /// `[N, C]`, in [-4, 4): what a distribution is made of.
    pub other: Tensor<2>,
}

impl Batch {
    pub fn new([n_rows, n_classes]: [usize; 2], device: &Device) -> Batch {
        let len = n_rows * n_classes;
        let numbers = |salt: u32| {
            let data = (0..len as u32).map(|i| hash(i ^ salt) as f32 / 2f32.powi(29) - 4.0).collect::<Vec<_>>();
            Tensor::from_data(TensorData::new(data, [n_rows, n_classes]), device)
        };
        let labels = (0..n_rows as u32).map(|row| (hash(!row) % n_classes as u32) as i32).collect::<Vec<_>>();
        let bits = (0..len as u32).map(|i| (hash(i) >> 7) as i32 & 1).collect::<Vec<_>>();
        Batch {
            logits: numbers(0),
            labels: Tensor::from_data(TensorData::new(labels, [n_rows]), device),
            bits: Tensor::from_data(TensorData::new(bits, [n_rows, n_classes]), device),
            other: numbers(0x5bd1_e995),
        }
    }
}

/// Chris Wellons' lowbias32.
fn hash(mut x: u32) -> u32 {
    x = (x ^ (x >> 16)).wrapping_mul(0x7feb_352d);
    x = (x ^ (x >> 15)).wrapping_mul(0x846c_a68b);
    x ^ (x >> 16)
}

/// A loss of logits that are tracked, and its gradient once it is reduced to one number.
pub fn with_gradient<const D: usize, const E: usize>(
    logits: &Tensor<D>,
    loss: impl FnOnce(Tensor<D>) -> Tensor<E>,
    upstream: impl FnOnce(Tensor<E>) -> Tensor<1>,
) -> [Vec<f32>; 2] {
    let logits = logits.clone().require_grad();
    let losses = loss(logits.clone());
    let gradients = upstream(losses.clone()).backward();
    let dlogits = logits.grad(&gradients).expect("the logits require one");
    [numbers(losses), numbers(dlogits)]
}

pub fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_to_vec().expect("f32")
}

/// That ours are burn's, each to within 64 units of rounding of `scale`: the largest loss, or the largest gradient.
///
/// burn's operations round every intermediate tensor to f32. For logits in [-4, 4) an exponential is off by up to
/// 3 + 2 * 8 units of itself (WGSL's accuracy), a sum of 1000 of them by some ten more, its logarithm by 2^-21, eight
/// units of 1; the differences and products around them by a unit each. Ours stay well below that.
pub fn assert_close(what: &str, ours: &[f32], burns: &[f32], scale: f32) {
    assert_eq!(ours.len(), burns.len(), "{what}");
    let bound = 64.0 * f32::EPSILON * scale;
    for (i, (a, b)) in ours.iter().zip(burns).enumerate() {
        assert!((a - b).abs() <= bound, "{what}, at {i}: ours is {a}, burn's {b}, apart by {:e} > {bound:e}", a - b);
    }
}
