//! exp, log and what follows from them in f64 without a branch, so that loops over them become vectors. Results are
//! good to 1e-11 of themselves: f32, which they are rounded to, has 6e-8.

use std::f64::consts::{LN_2, LOG2_E};

use crate::number::Number;

/// 1.5 x 2^52: a sum with it holds the other term, rounded to a whole number, in its low bits.
const ROUNDER: f64 = 6_755_399_441_055_744.0;
/// The bits of `sqrt(1/2)`.
const SQRT_HALF: u64 = 0x3fe6_a09e_667f_3bcd;
/// `1/n!`, the coefficients of exp: a division by `n` at each step would take most of its time.
const INVERSE_FACTORIALS: [f64; 11] = {
    let (mut inverses, mut factorial, mut n) = ([1.0; 11], 1.0, 1);
    while n < inverses.len() {
        factorial *= n as f64;
        inverses[n] = 1.0 / factorial;
        n += 1;
    }
    inverses
};
/// `1/(2n + 1)`, the coefficients of artanh.
const INVERSE_ODDS: [f64; 9] =
    [1.0, 1.0 / 3.0, 1.0 / 5.0, 1.0 / 7.0, 1.0 / 9.0, 1.0 / 11.0, 1.0 / 13.0, 1.0 / 15.0, 1.0 / 17.0];

/// A polynomial, its coefficients from the constant one up.
#[inline(always)]
fn polynomial(x: f64, coefficients: &[f64]) -> f64 {
    let (last, others) = coefficients.split_last().unwrap_or((&0.0, &[]));
    let mut sum = *last;
    for coefficient in others.iter().rev() {
        sum = sum * x + coefficient;
    }
    sum
}

/// `e^x`; 0 below -700 and infinity above 700.
#[inline(always)]
pub(super) fn exp(x: f64) -> f64 {
    let within = if x < -700.0 { -700.0 } else { x };
    let within = if within > 700.0 { 700.0 } else { within };
    let rounded = within * LOG2_E + ROUNDER;
    let r = within - (rounded - ROUNDER) * LN_2;
    // Taylor's series: |r| <= log(2)/2 leaves 3e-13.
    let e =
        polynomial(r, &INVERSE_FACTORIALS) * f64::from_bits((rounded.to_bits() << 52).wrapping_add(1.0_f64.to_bits()));
    let e = if x < -700.0 { 0.0 } else { e };
    if x > 700.0 { f64::INFINITY } else { e }
}

/// `log x`: -infinity at 0, NaN below. For x without subnormal numbers, of which f32 has none in f64.
#[inline(always)]
pub(super) fn ln(x: f64) -> f64 {
    let (k, f) = split(x);
    at_the_edges(x, k * LN_2 + ln_1p_fraction(f))
}

/// `log(1 + x)`
#[inline(always)]
pub(super) fn ln_1p(x: f64) -> f64 {
    let u = 1.0 + x;
    let (k, f) = split(u);
    // What 1 + x rounds away is worth its share of u.
    at_the_edges(u, k * LN_2 + (ln_1p_fraction(f) + (x - (u - 1.0)) / u))
}

/// The hyperbolic tangent.
#[inline(always)]
pub(super) fn tanh(x: f64) -> f64 {
    let below = Number::exp_m1(-2.0 * x.abs());
    let far = -below / (2.0 + below);
    if x < 0.0 { -far } else { far }
}

/// `1/cosh^2 x`, without the cancellation of `1 - tanh^2 x`.
#[inline(always)]
pub(super) fn sech_squared(x: f64) -> f64 {
    let e = exp(-2.0 * x.abs());
    4.0 * e / ((1.0 + e) * (1.0 + e))
}

/// `x = 2^k (1 + f)` with `sqrt(1/2) <= 1 + f < sqrt(2)`.
#[inline(always)]
fn split(x: f64) -> (f64, f64) {
    let bits = x.to_bits().wrapping_add(1.0_f64.to_bits() - SQRT_HALF);
    // 2^52 and a biased exponent, as the bits of one number.
    let k = f64::from_bits((bits >> 52) | 0x4330_0000_0000_0000) - (4_503_599_627_370_496.0 + 1023.0);
    (k, f64::from_bits((bits & 0x000f_ffff_ffff_ffff) + SQRT_HALF) - 1.0)
}

/// `log(1 + f) = 2 artanh(f/(2 + f))`, by its series, which leaves 1e-14 for the f of [`split`].
#[inline(always)]
fn ln_1p_fraction(f: f64) -> f64 {
    let s = f / (2.0 + f);
    let z = s * s;
    2.0 * s * polynomial(z, &INVERSE_ODDS)
}

/// A logarithm of `x`, or what it is where `x` is no positive number.
#[inline(always)]
fn at_the_edges(x: f64, log: f64) -> f64 {
    let log = if x == 0.0 { f64::NEG_INFINITY } else { log };
    let log = if x == f64::INFINITY { f64::INFINITY } else { log };
    if x >= 0.0 { log } else { f64::NAN }
}

impl Number for f64 {
    #[inline(always)]
    fn value(self) -> f64 {
        self
    }

    #[inline(always)]
    fn exp(self) -> Self {
        exp(self)
    }

    /// From four terms of its series where the difference would cancel.
    #[inline(always)]
    fn exp_m1(self) -> Self {
        let near = self * (1.0 + self * (0.5 + self * (1.0 / 6.0 + self / 24.0)));
        let far = exp(self) - 1.0;
        if self.abs() < 1e-3 { near } else { far }
    }

    #[inline(always)]
    fn exp_m1_less_self(self) -> Self {
        self * self * polynomial(self, &INVERSE_FACTORIALS[2..])
    }

    #[inline(always)]
    fn ln(self) -> Self {
        ln(self)
    }

    #[inline(always)]
    fn ln_1p(self) -> Self {
        ln_1p(self)
    }

    #[inline(always)]
    fn powf(self, exponent: f64) -> Self {
        let power = exp(ln(self) * exponent);
        let power = if self == 0.0 && exponent > 0.0 { 0.0 } else { power };
        if exponent == 0.0 { 1.0 } else { power }
    }

    #[inline(always)]
    fn abs(self) -> Self {
        self.abs()
    }

    #[inline(always)]
    fn at_least(self, floor: f64) -> Self {
        if self < floor { floor } else { self }
    }

    #[inline(always)]
    fn signum(self) -> Self {
        let sign = if self > 0.0 { 1.0 } else { 0.0 };
        if self < 0.0 { -1.0 } else { sign }
    }
}

#[cfg(test)]
mod tests {
    use super::{exp, ln, ln_1p, sech_squared, tanh};
    use crate::number::Number;

    /// Off by at most 1e-11 of itself.
    #[track_caller]
    fn assert_close(got: f64, want: f64) {
        let same = got == want || (got.is_nan() && want.is_nan());
        assert!(same || (got - want).abs() <= 1e-11 * want.abs(), "{got:e} for {want:e}");
    }

    /// From 1e-40 to 1e40 both ways from 0, and what is no number there.
    fn numbers() -> impl Iterator<Item = f64> {
        let magnitudes = (-4000..4000).map(|i| 10.0_f64.powf(f64::from(i) / 100.0 + 0.001));
        magnitudes.flat_map(|x| [x, -x]).chain([0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN])
    }

    #[test]
    fn functions_are_those_of_the_standard_library() {
        for x in numbers() {
            if x.abs() < 700.0 || x.is_nan() {
                assert_close(exp(x), x.exp());
            }
            assert_close(ln(x), x.ln());
            assert_close(ln_1p(x), x.ln_1p());
            assert_close(tanh(x), x.tanh());
            if x.abs() < 300.0 {
                assert_close(sech_squared(x), x.cosh().powi(-2));
            }
            assert_close(Number::exp_m1(x), if x.abs() < 700.0 { x.exp_m1() } else { Number::exp_m1(x) });
        }
        assert_eq!((exp(-701.0), exp(701.0)), (0.0, f64::INFINITY));
        assert_eq!((exp(f64::NEG_INFINITY), exp(f64::INFINITY)), (0.0, f64::INFINITY));
    }

    #[test]
    fn powers_are_those_of_the_standard_library() {
        for x in (0..=1000).map(|i| f64::from(i) / 1000.0) {
            for exponent in [0.0, 0.5, 1.0, 2.0, 5.0] {
                assert_close(Number::powf(x, exponent), x.powf(exponent));
            }
        }
    }

    #[test]
    fn what_exp_is_off_its_tangent_does_not_cancel() {
        for x in numbers().filter(|x| x.abs() < 0.25) {
            let series = (2..20).rev().fold(0.0, |sum, n| (sum + 1.0) * x / f64::from(n));
            assert_close(Number::exp_m1_less_self(x), series * x);
        }
    }
}
