//! How good predictions are.

use crate::data::N_CLASSES;

/// Quality of the predictions for one set of labels; all in 0..=1.
#[derive(Clone, Debug, PartialEq)]
pub struct Metrics {
    /// The share of right predictions.
    pub accuracy: f64,
    /// F1 of each class: the harmonic mean of its precision and recall.
    pub f1: [f64; N_CLASSES],
}

impl Metrics {
    pub fn new(labels: &[i32], predictions: &[u32]) -> Metrics {
        let (mut hits, mut shown, mut claimed) = ([0u32; N_CLASSES], [0u32; N_CLASSES], [0u32; N_CLASSES]);
        for (&label, &prediction) in labels.iter().zip(predictions) {
            shown[label as usize] += 1;
            claimed[prediction as usize] += 1;
            hits[label as usize] += u32::from(label as u32 == prediction);
        }
        // 2 hits / (shown + claimed), 0 for a class neither shown nor claimed.
        let f1 = std::array::from_fn(|j| f64::from(2 * hits[j]) / f64::from((shown[j] + claimed[j]).max(1)));
        Metrics { accuracy: f64::from(hits.iter().sum::<u32>()) / labels.len() as f64, f1 }
    }

    /// The mean F1 of all classes, each counting the same.
    pub fn macro_f1(&self) -> f64 {
        self.f1.iter().sum::<f64>() / N_CLASSES as f64
    }

    /// The mean F1 of these classes.
    pub fn f1_of(&self, classes: &[i32]) -> f64 {
        classes.iter().map(|&class| self.f1[class as usize]).sum::<f64>() / classes.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accuracy_and_f1_of_a_case_done_by_hand() {
        let metrics = Metrics::new(&[0, 0, 0, 1], &[0, 0, 1, 1]);
        assert_eq!(metrics.accuracy, 0.75);
        assert_eq!(metrics.f1[..3], [0.8, 2.0 / 3.0, 0.0]);
    }
}
