use super::{Divisor, check_option, check_scale};
use crate::{Error, Shape, Side};

/// What the softmax losses with one value per row share, against a label or a distribution: how logits are mapped,
/// which rows count and for how much. Their builders set them.
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::{CrossEntropy, Engine, Inputs, Pass, Shape};
///
/// // Gemma's cap, and a z-loss that keeps the logits' scale.
/// let loss = CrossEntropy::new().softcap(30.0).z_loss(1e-4);
/// let inputs = Inputs::new(&[1e6, 1e6]).targets(&[1]);
/// let out = Engine::new()?.evaluate(loss, Pass::Forward, Shape::new(1, 2), inputs)?;
/// let ln_2 = std::f32::consts::LN_2;
/// let lse = 30.0 + ln_2; // of two logits at the cap
/// assert!((out.values[0] - (ln_2 + 1e-4 * lse * lse)).abs() < 1e-5);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RowOptions {
    /// Whether the inputs bring one weight per row, and what it does to the divisor of a mean.
    pub row_weights: Option<RowWeights>,
    /// `cap > 0`: logits become `cap tanh(x/cap)`; -inf stays -inf.
    pub softcap: Option<f32>,
    /// T > 0: logits are divided by it, after the soft cap.
    pub temperature: f32,
    /// `z`: adds `z lse^2` to a row's loss, `lse` the log of the softmax's denominator.
    pub z_loss: f32,
    /// What to return per row beside the loss.
    pub side: Side,
}

/// What a row's weight does to the divisor of a mean. On the row's loss and gradient it is a factor; a row of weight 0
/// has loss and gradient exactly 0, whatever its logits.
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::{CrossEntropy, Engine, Inputs, Pass, RowWeights, Shape};
///
/// let mean = |row_weights| {
///     let inputs = Inputs::new(&[0.0; 6]).targets(&[0, 1, 0]).row_weights(&[2.0, 1.0, 0.0]);
///     let loss = CrossEntropy::new().row_weights(row_weights);
///     Engine::cpu().evaluate(loss, Pass::Forward, Shape::new(3, 2), inputs).map(|out| out.values[0])
/// };
/// let ln_2 = std::f32::consts::LN_2; // each row's loss; weighted, they add up to three of it
/// assert_eq!(mean(RowWeights::Scale)?, ln_2); // over 3 rows
/// assert_eq!(mean(RowWeights::Mask)?, 1.5 * ln_2); // over the 2 that count
/// assert_eq!(mean(RowWeights::Count)?, ln_2); // over a weight of 3
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RowWeights {
    /// Nothing: every row counts as it would without weights.
    Scale,
    /// Rows of weight 0 do not count: with weights of 0 and 1, a mask.
    Mask,
    /// A row counts for as much as it weighs.
    Count,
}

impl RowOptions {
    pub(crate) const DEFAULT: RowOptions =
        RowOptions { row_weights: None, softcap: None, temperature: 1.0, z_loss: 0.0, side: Side::NONE };

    pub(super) fn check(&self) -> Result<(), Error> {
        check_scale("temperature", self.temperature)?;
        check_scale("softcap", self.softcap.unwrap_or(1.0))?;
        check_option("z_loss", self.z_loss, "finite", self.z_loss.is_finite())?;
        self.side.check()
    }

    /// The same for a loss without labels, whose rows may lack more than that; `lacks` says what.
    pub(super) fn check_unlabelled(&self, loss: &'static str, lacks: Option<&'static str>) -> Result<(), Error> {
        self.check()?;
        let refused = |option, lacks| Err(Error::RowOption { loss, option, lacks });
        match (self.side.of_target(), lacks) {
            (Some(option), _) => refused(option, "a label per row"),
            (_, Some(lacks)) if self.z_loss != 0.0 => refused("z_loss", lacks),
            (_, Some(lacks)) if self.side.width() > 0 => refused("side outputs", lacks),
            _ => Ok(()),
        }
    }
}

impl RowWeights {
    /// What a mean over labelled rows divides by: their number, unless labels or row weights say which of them count.
    pub(super) fn mean_over_labels(
        row_weights: Option<Self>,
        shape: &Shape,
        ignore_index: &[i32],
        weighted: bool,
    ) -> Divisor {
        match ignore_index.is_empty() && !weighted {
            true => Self::mean_over_rows(row_weights, shape, shape.n_rows),
            false => Divisor::Kept { weighted, row_size: 1.0 },
        }
    }

    /// What a mean divides by that is `whole` if every row counts: as much of it as the row weights say.
    pub(crate) fn mean_over_rows(row_weights: Option<Self>, shape: &Shape, whole: usize) -> Divisor {
        match row_weights {
            None | Some(RowWeights::Scale) => Divisor::Number(whole as f64),
            _ => Divisor::Kept { weighted: false, row_size: whole as f64 / shape.n_rows.max(1) as f64 },
        }
    }
}

impl Default for RowOptions {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The builder of row weights, for a spec with this field.
macro_rules! row_weights_builder {
    ($($field:ident).+) => {
        /// The inputs bring one weight per row; `RowWeights` says what it does to the divisor.
        pub fn row_weights(mut self, row_weights: $crate::RowWeights) -> Self {
            self.$($field).+ = Some(row_weights);
            self
        }
    };
}
pub(super) use row_weights_builder;

/// The builders of [`RowOptions`], for a spec with a field `rows`.
macro_rules! row_option_builders {
    ($spec:ident $(<$kind:ident>)?) => {
        impl $(<$kind>)? $spec $(<$kind>)? {
            $crate::loss::row_options::row_weights_builder!(rows.row_weights);

            /// Logits become `cap tanh(x/cap)`.
            pub fn softcap(mut self, cap: f32) -> Self {
                self.rows.softcap = Some(cap);
                self
            }

            /// Logits are divided by T, after the soft cap. A logit scale is 1/T.
            pub fn temperature(mut self, t: f32) -> Self {
                self.rows.temperature = t;
                self
            }

            /// Adds `z lse^2` to a row's loss. `Mean` divides it by the number of rows kept, whatever the class
            /// weights.
            pub fn z_loss(mut self, z: f32) -> Self {
                self.rows.z_loss = z;
                self
            }

            /// Asks for side outputs.
            pub fn side(mut self, side: $crate::Side) -> Self {
                self.rows.side = side;
                self
            }
        }
    };
}
pub(super) use row_option_builders;
