use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::number::Number;

/// An f64 that knows how far an f32 computation of the same formula may be off.
///
/// `rounding` is a running error bound to first order (Higham 2002, section 3.3): the absolute error in units of f32
/// rounding (2^-24) if every operation on the way rounds once. Inputs are exact. Tests multiply it by a small constant
/// for functions that are good to a few units; nothing else in the reference depends on it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Real {
    /// The number, in double precision.
    pub value: f64,
    /// The absolute error of an f32 computation, in units of 2^-24.
    pub rounding: f64,
}

/// 1 in units of f32 rounding.
const ONE_PER_UNIT: f64 = (1 << 24) as f64;

impl Real {
    /// Zero, exactly.
    pub const ZERO: Real = Real { value: 0.0, rounding: 0.0 };
    /// One, exactly.
    pub const ONE: Real = Real { value: 1.0, rounding: 0.0 };
    /// The value of rows that have none.
    pub const NAN: Real = Real { value: f64::NAN, rounding: 0.0 };

    fn rounded(value: f64, inherited: f64) -> Real {
        Real { value, rounding: inherited + value.abs() }
    }

    /// `e^self`.
    pub fn exp(self) -> Real {
        Real::rounded(self.value.exp(), self.exp_error())
    }

    /// `e^self - 1`.
    pub fn exp_m1(self) -> Real {
        Real::rounded(self.value.exp_m1(), self.exp_error())
    }

    /// `e^self - 1 - self`, from 0 to 0 without cancellation.
    pub fn exp_m1_less_self(self) -> Real {
        let x = self.value;
        // The first term left out is 2 x 0.25^14 / 16! of the leading one.
        let series = || (3..=15).rev().fold(1.0, |sum, k| 1.0 + x / f64::from(k) * sum);
        let value = if x.abs() > 0.25 { x.exp_m1() - x } else { x * x / 2.0 * series() };
        Real::rounded(value, x.exp_m1().abs() * self.rounding)
    }

    /// What `e^self` inherits: nothing once it has underflowed.
    fn exp_error(self) -> f64 {
        let slope = self.value.exp();
        if slope == 0.0 { 0.0 } else { slope * self.rounding }
    }

    /// The hyperbolic tangent.
    pub fn tanh(self) -> Real {
        Real::rounded(self.value.tanh(), self.rounding / self.value.cosh().powi(2))
    }

    /// `1/cosh^2 self`.
    pub fn sech_squared(self) -> Real {
        let value = self.value.cosh().powi(-2);
        Real::rounded(value, 2.0 * value * self.value.tanh().abs() * self.rounding)
    }

    /// `log(1 + self)`.
    pub fn ln_1p(self) -> Real {
        Real::rounded(self.value.ln_1p(), self.rounding / (1.0 + self.value))
    }

    /// `log self`.
    pub fn ln(self) -> Real {
        Real::rounded(self.value.ln(), self.rounding / self.value.abs())
    }

    /// `self^exponent`; `x^0 = 1`, and `0^e = 0` for a positive exponent.
    pub fn powf(self, exponent: f64) -> Real {
        if exponent == 0.0 {
            return Real::ONE;
        }
        if self.value == 0.0 && exponent > 0.0 {
            return Real::ZERO;
        }
        let value = self.value.powf(exponent);
        Real::rounded(value, (exponent * value / self.value).abs() * self.rounding)
    }

    /// `|self|`.
    pub fn abs(self) -> Real {
        Real { value: self.value.abs(), ..self }
    }

    /// The larger of this and an exact number.
    pub fn at_least(self, floor: f64) -> Real {
        if self.value < floor { floor.into() } else { self }
    }

    /// -1, 0 or 1; any of them where an f32 computation cannot tell.
    pub fn signum(self) -> Real {
        // Functions are good to a few units.
        let unsure = self.value.abs() <= 8.0 * self.rounding / ONE_PER_UNIT;
        let value = if self.value == 0.0 { 0.0 } else { self.value.signum() };
        Real { value, rounding: if unsure { 2.0 * ONE_PER_UNIT } else { 0.0 } }
    }

    /// A product in which an exactly zero factor wins, whatever the other.
    pub fn times(self, value: Real) -> Real {
        if self.value == 0.0 { Real::ZERO } else { self * value }
    }

    /// The terms' sum, each rounded once: a tree of bounded fan-in, not one long chain.
    pub fn sum(terms: impl IntoIterator<Item = Real>) -> Real {
        terms.into_iter().fold(Real::ZERO, |sum, term| Real {
            value: sum.value + term.value,
            rounding: sum.rounding + term.rounding + term.value.abs(),
        })
    }
}

impl From<f32> for Real {
    fn from(value: f32) -> Self {
        Real { value: value.into(), rounding: 0.0 }
    }
}

impl From<f64> for Real {
    fn from(value: f64) -> Self {
        Real { value, rounding: 0.0 }
    }
}

impl<T: Into<Real>> Add<T> for Real {
    type Output = Real;
    fn add(self, other: T) -> Real {
        let other = other.into();
        Real::rounded(self.value + other.value, self.rounding + other.rounding)
    }
}

impl<T: Into<Real>> Sub<T> for Real {
    type Output = Real;
    fn sub(self, other: T) -> Real {
        self + -other.into()
    }
}

impl Neg for Real {
    type Output = Real;
    fn neg(self) -> Real {
        Real { value: -self.value, ..self }
    }
}

impl<T: Into<Real>> Mul<T> for Real {
    type Output = Real;
    fn mul(self, other: T) -> Real {
        let other = other.into();
        let inherited = self.value.abs() * other.rounding + other.value.abs() * self.rounding;
        Real::rounded(self.value * other.value, inherited)
    }
}

impl<T: Into<Real>> Div<T> for Real {
    type Output = Real;
    fn div(self, other: T) -> Real {
        let other = other.into();
        let value = self.value / other.value;
        Real::rounded(value, (self.rounding + value.abs() * other.rounding) / other.value.abs())
    }
}

impl Number for Real {
    fn value(self) -> f64 {
        self.value
    }
    fn exp(self) -> Self {
        Real::exp(self)
    }
    fn exp_m1(self) -> Self {
        Real::exp_m1(self)
    }
    fn exp_m1_less_self(self) -> Self {
        Real::exp_m1_less_self(self)
    }
    fn ln(self) -> Self {
        Real::ln(self)
    }
    fn ln_1p(self) -> Self {
        Real::ln_1p(self)
    }
    fn powf(self, exponent: f64) -> Self {
        Real::powf(self, exponent)
    }
    fn abs(self) -> Self {
        Real::abs(self)
    }
    fn at_least(self, floor: f64) -> Self {
        Real::at_least(self, floor)
    }
    fn signum(self) -> Self {
        Real::signum(self)
    }
}
