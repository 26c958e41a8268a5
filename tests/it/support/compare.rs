use surprisal::reference::{Evaluation, Real};
use surprisal::{Output, Shape};

/// The doubles in a slice of [`Real`].
pub fn numbers(reals: &[Real]) -> Vec<f64> {
    reals.iter().map(|real| real.value).collect()
}

/// Asserts that the numbers agree within `bound`; equal infinities agree, and so do two NaN.
#[track_caller]
pub fn assert_close(case: &str, found: &[f64], expected: &[f64], bound: f64) {
    assert_within(case, found, expected, |_| bound);
}

/// As [`assert_close`], with a bound relative to each expected number.
#[track_caller]
pub fn assert_relative(case: &str, found: &[f64], expected: &[f64], bound: f64) {
    assert_within(case, found, expected, |i| bound * expected[i].abs());
}

/// Asserts that the numbers agree, each within its own bound; names the case and the worst number where they do not.
#[track_caller]
pub fn assert_within(case: &str, found: &[f64], expected: &[f64], bound: impl Fn(usize) -> f64) {
    assert_eq!(found.len(), expected.len(), "{case}: number of values, found {found:?}, expected {expected:?}");
    for (i, (&f, &e)) in found.iter().zip(expected).enumerate() {
        let agrees = f == e || (f.is_nan() && e.is_nan()) || (f - e).abs() <= bound(i);
        assert!(agrees, "{case}: at {i} found {f:e}, expected {e:e}, bound {:e}", bound(i));
    }
}

/// Units of f32 rounding that a kernel may spend per unit of [`Real::rounding`], which counts each operation of the
/// formula once: 2 for an exp or log good to two units, 2.5 for a division as WGSL promises it, and the levels of a
/// sum's tree.
pub const UNITS: f64 = 4.0;
const UNIT: f64 = 1.0 / (1 << 24) as f64;
/// Numbers below the smallest normal one may be flushed to 0 on the way: a probability before it meets its logarithm (up
/// to 104), a weight and an upstream gradient (up to 2 each).
const FLUSHED: f64 = 512.0 * f32::MIN_POSITIVE as f64;

/// Fails if any result of `got` is further from the oracle than the arithmetic allows, naming the worst.
pub fn assert_matches(what: &str, shape: Shape, got: &Output, oracle: &Evaluation) {
    compare(&format!("{what}: values"), 1, &got.values, &oracle.values);
    match (&got.dlogits, &oracle.dlogits) {
        (Some(got), Some(oracle)) => compare(&format!("{what}: dlogits"), shape.dlogits_stride, got, oracle),
        (None, None) => {}
        _ => panic!("{what}: dlogits in one result only"),
    }
    match (&got.dtargets, &oracle.dtargets) {
        (Some(got), Some(oracle)) => compare(&format!("{what}: dtargets"), shape.dtargets_stride, got, oracle),
        (None, None) => {}
        _ => panic!("{what}: dtargets in one result only"),
    }
    match (&got.row_state, &oracle.row_state) {
        (Some(got), Some(oracle)) => compare_state(&format!("{what}: row_state"), got, oracle),
        (None, None) => {}
        _ => panic!("{what}: row_state in one result only"),
    }
}

/// The state of a row without a value says so in one of its numbers, which the backward pass reads; the others are free.
fn compare_state(what: &str, got: &[f32], oracle: &[Real]) {
    assert_eq!(got.len(), oracle.len(), "{what}: length");
    let free = |(&got, &want): (&f32, &Real)| if want.value.is_nan() { want.value as f32 } else { got };
    compare(what, 1, &got.iter().zip(oracle).map(free).collect::<Vec<_>>(), oracle);
}

fn compare(what: &str, width: usize, got: &[f32], oracle: &[Real]) {
    assert_eq!(got.len(), oracle.len(), "{what}: length");
    let worst = got.iter().zip(oracle).map(|(&got, &want)| excess(got, want)).enumerate();
    let Some((i, excess)) = worst.max_by(|a, b| a.1.total_cmp(&b.1)) else { return };
    assert!(
        excess <= 1.0,
        "{what}[{}, {}] is {:e}, the oracle says {:e}: {excess:.2} times the allowed error",
        i / width,
        i % width,
        got[i],
        oracle[i].value,
    );
}

/// The error as a multiple of the error allowed; infinite where one is finite and the other is not.
fn excess(got: f32, want: Real) -> f64 {
    let as_f32 = want.value as f32;
    if got == as_f32 || (got.is_nan() && want.value.is_nan()) {
        return 0.0;
    }
    if !got.is_finite() || !as_f32.is_finite() {
        return f64::INFINITY;
    }
    let allowed = UNIT * (UNITS * want.rounding + want.value.abs()) + FLUSHED;
    (f64::from(got) - want.value).abs() / allowed
}
