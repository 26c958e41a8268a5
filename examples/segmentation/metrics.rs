//! How good predictions are.

use crate::scenes::{BACKGROUND, N_CLASSES, VOID};

/// Of labels and predictions, pixel by pixel; void pixels do not count.
pub struct Metrics {
    /// Intersection over union of each class; NaN of one that is neither there nor predicted.
    pub iou: [f64; N_CLASSES],
}

impl Metrics {
    pub fn new(labels: &[u32], predictions: &[u32]) -> Metrics {
        let (mut both, mut either) = ([0; N_CLASSES], [0; N_CLASSES]);
        for (&label, &prediction) in labels.iter().zip(predictions).filter(|(label, _)| **label != VOID) {
            either[label as usize] += 1;
            if label == prediction {
                both[label as usize] += 1;
            } else {
                either[prediction as usize] += 1;
            }
        }
        Metrics { iou: std::array::from_fn(|class| f64::from(both[class]) / f64::from(either[class])) }
    }

    /// Of predictions that see paper everywhere.
    pub fn of_background(labels: &[u32]) -> Metrics {
        Metrics::new(labels, &vec![BACKGROUND; labels.len()])
    }

    /// Over the classes.
    pub fn mean_iou(&self) -> f64 {
        self.iou.iter().sum::<f64>() / N_CLASSES as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn void_does_not_count_and_the_rest_is_as_worked_out_by_hand() {
        let mut labels: Vec<u32> = (0..N_CLASSES as u32).collect();
        let mut predictions = labels.clone();
        labels.extend([0, 0, 1, VOID]);
        predictions.extend([0, 1, 1, 5]);
        let metrics = Metrics::new(&labels, &predictions);
        assert_eq!(metrics.iou[..3], [2.0 / 3.0, 2.0 / 3.0, 1.0]);
        assert!((metrics.mean_iou() - (9.0 + 4.0 / 3.0) / 11.0).abs() < 1e-15);
    }
}
