use std::ops::{Add, Div, Mul, Neg, Sub};

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
        let value = self.value.exp();
        Real::rounded(value, value * self.rounding)
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
