//! What is added up of a model over positions, and the same by its definition, to check against.

use std::ops::AddAssign;

use crate::Result;

/// How far the engine's sums may be from plain f64, relatively: f32 logits and losses, of up to 40 nats, have 7 digits.
const TOLERANCE: f64 = 1e-4;

/// Over positions, in nats; P the model, Q the other one.
#[derive(Clone, Copy, Default)]
pub struct Sums {
    /// `-log p_t`, t the character that came.
    pub surprisal: f64,
    /// `-sum_c p_c log p_c`: the surprisal that the model expects.
    pub entropy: f64,
    /// 1 if no character was likelier than the one that came, else 0.
    pub hits: f64,
    /// `KL(P||Q) = sum_c p_c log(p_c / q_c)`.
    pub divergence: f64,
}

impl Sums {
    /// Of one position, term by term.
    pub fn by_definition(p: &[f64], q: &[f64], target: u32) -> Sums {
        let p_t = p[target as usize];
        Sums {
            surprisal: -p_t.ln(),
            entropy: -p.iter().map(|p| p * p.ln()).sum::<f64>(),
            hits: f64::from(u8::from(p.iter().all(|&p| p <= p_t))),
            divergence: p.iter().zip(q).map(|(p, q)| p * (p / q).ln()).sum(),
        }
    }

    /// The largest relative difference from the sums by definition; an error where one is too large, or NaN.
    pub fn check(&self, by_definition: &Sums) -> Result<f64> {
        let mut largest = 0.0;
        for ((name, found), (_, expected)) in self.named().into_iter().zip(by_definition.named()) {
            let difference = (found - expected).abs() / expected.abs().max(1.0);
            if difference.is_nan() || difference > TOLERANCE {
                return Err(format!("{name} sums to {found}, by definition to {expected}").into());
            }
            largest = difference.max(largest);
        }
        Ok(largest)
    }

    fn named(&self) -> [(&'static str, f64); 4] {
        let Sums { surprisal, entropy, hits, divergence } = *self;
        [("surprisal", surprisal), ("entropy", entropy), ("top-1 hits", hits), ("divergence", divergence)]
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, more: Sums) {
        self.surprisal += more.surprisal;
        self.entropy += more.entropy;
        self.hits += more.hits;
        self.divergence += more.divergence;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_to_one_against_even_is_as_worked_out_by_hand() {
        let (p, q) = ([0.75, 0.25], [0.5, 0.5]);
        let found = Sums::by_definition(&p, &q, 1);
        assert!((found.surprisal - 4_f64.ln()).abs() < 1e-15);
        assert!((found.entropy - (4_f64.ln() - 0.75 * 3_f64.ln())).abs() < 1e-15);
        assert_eq!((found.hits, Sums::by_definition(&q, &p, 0).hits), (0.0, 1.0));
        assert!((found.divergence - (2_f64.ln() - found.entropy)).abs() < 1e-15);
    }

    #[test]
    fn a_sum_that_is_off_or_nan_is_an_error() {
        let expected = Sums { surprisal: 1000.0, entropy: 900.0, hits: 500.0, divergence: 100.0 };
        assert!(expected.check(&expected).is_ok_and(|largest| largest == 0.0));
        for divergence in [100.1, f64::NAN] {
            assert!(Sums { divergence, ..expected }.check(&expected).is_err());
        }
    }
}
