//! Losses with a class index per row by burn's own operations, where burn has none to call.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Bool, Int, Tensor};

/// Log-probabilities of a batch of rows, and which of them count.
pub struct Rows {
    /// `[N, C]`
    log_p: Tensor<2>,
    /// `[N]`, 0 where the row does not count.
    labels: Tensor<1, Int>,
    /// `[N]`, true where the row does not count; none if all do.
    ignored: Option<Tensor<1, Bool>>,
}

impl Rows {
    pub fn new(logits: Tensor<2>, targets: Tensor<1, Int>, ignore_index: &[i32]) -> Rows {
        let is = |label: &i32| targets.clone().equal_scalar(*label);
        let ignored = ignore_index.iter().map(is).reduce(|one, other| one.bool_or(other));
        let labels = match &ignored {
            Some(ignored) => targets.mask_fill(ignored.clone(), 0),
            None => targets,
        };
        Rows { log_p: log_softmax(logits, 1), labels, ignored }
    }

    /// Row losses `[N]` of a cross-entropy with weights `[C]`.
    pub fn cross_entropy(&self, weights: Option<Tensor<1>>, smoothing: f32) -> Tensor<1> {
        let [_, n_classes] = self.log_p.dims();
        let (hard, weighted) = match weights {
            Some(weights) => {
                let of_targets = weights.clone().gather(0, self.labels.clone());
                (self.log_p_of_targets() * of_targets, self.log_p.clone() * weights.unsqueeze::<2>())
            }
            None => (self.log_p_of_targets(), self.log_p.clone()),
        };
        if smoothing == 0.0 {
            return self.counted(-hard); // 0 times the log-probability of a masked class would be NaN
        }
        let even = weighted.sum_dim(1).squeeze_dim::<1>(1) * (smoothing / n_classes as f32);
        self.counted(-(hard * (1.0 - smoothing) + even))
    }

    /// Row losses `[N]` of a focal loss with factors `[C]`.
    pub fn focal(&self, gamma: f32, alpha: Option<Tensor<1>>) -> Tensor<1> {
        let log_p = self.log_p_of_targets();
        // An exponential that rounds beyond 1 would make a power of a negative number.
        let q = (-log_p.clone().exp() + 1.0).clamp_min(0.0);
        let losses = -(q.powf_scalar(gamma) * log_p);
        self.counted(match alpha {
            Some(alpha) => losses * alpha.gather(0, self.labels.clone()),
            None => losses,
        })
    }

    /// The mean `[1]` of row losses over the rows that count.
    pub fn mean(&self, row_loss: Tensor<1>) -> Tensor<1> {
        let n_rows = self.counted(row_loss.ones_like()).sum();
        row_loss.sum() / n_rows
    }

    fn log_p_of_targets(&self) -> Tensor<1> {
        let labels = self.labels.clone().unsqueeze_dim::<2>(1);
        self.log_p.clone().gather(1, labels).squeeze_dim::<1>(1)
    }

    fn counted(&self, row_loss: Tensor<1>) -> Tensor<1> {
        match &self.ignored {
            Some(ignored) => row_loss.mask_fill(ignored.clone(), 0),
            None => row_loss,
        }
    }
}

/// Pad tokens as labels that surprisal ignores.
///
/// # Panics
/// If one is larger than an i32.
pub fn labels_to_ignore(pad_tokens: Option<&[usize]>) -> Vec<i32> {
    let label = |&token: &usize| {
        i32::try_from(token).unwrap_or_else(|_| panic!("found pad token {token}, expected at most {}", i32::MAX))
    };
    pad_tokens.unwrap_or_default().iter().map(label).collect()
}
