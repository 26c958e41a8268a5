use std::ops::{Add, Div, Mul, Neg, Sub};

/// What a loss's formulas are computed in: [`crate::reference::Real`] by the oracle, f64 by the CPU engine, whose loops
/// over the classes compilers turn into vectors.
pub(crate) trait Number:
    Copy
    + Neg<Output = Self>
    + Add<Output = Self>
    + Add<f64, Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Mul<f64, Output = Self>
    + Div<Output = Self>
    + From<f64>
{
    /// In double precision.
    fn value(self) -> f64;
    /// `e^self`
    fn exp(self) -> Self;
    /// `e^self - 1`
    fn exp_m1(self) -> Self;
    /// `e^self - 1 - self` for `|self| < 0.25`, from 0 to 0 without cancellation.
    fn exp_m1_less_self(self) -> Self;
    /// `log self`
    fn ln(self) -> Self;
    /// `log(1 + self)`
    fn ln_1p(self) -> Self;
    /// `self^exponent` of a number that is not negative; `x^0 = 1`, and `0^e = 0` for a positive exponent.
    fn powf(self, exponent: f64) -> Self;
    /// `|self|`
    fn abs(self) -> Self;
    /// The larger of this and an exact number.
    fn at_least(self, floor: f64) -> Self;
    /// -1, 0 or 1
    fn signum(self) -> Self;

    /// A product in which an exactly zero factor wins, whatever the other.
    #[inline(always)]
    fn times(self, other: Self) -> Self {
        if self.value() == 0.0 { Self::from(0.0) } else { self * other }
    }
}
