use surprisal::half::{bf16, f16};
use surprisal::reference::{Evaluation, Real};
use surprisal::{Output, Side, SideOutputs, Storage};

use super::case::Case;
use super::spec::factor;
use super::staged::Bits;

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
        let agrees = f == e || (f.is_nan() && e.is_nan()) || (e.is_finite() && (f - e).abs() <= bound(i));
        assert!(agrees, "{case}: at {i} found {f:e}, expected {e:e}, bound {:e}", bound(i));
    }
}

/// Units of f32 rounding that a kernel may spend per unit of [`Real::rounding`], which counts each operation of the
/// formula once: 2 for an exp or log good to two units, 2.5 for a division as WGSL promises it, and the levels of a
/// sum's tree.
pub const UNITS: f64 = 4.0;
const UNIT: f64 = 1.0 / (1 << 24) as f64;
/// Numbers below the smallest normal one may be flushed to 0 on the way: a probability before it meets its logarithm
/// (up to 104), a weight and an upstream gradient (up to 2 each); a loss's own factor is on top.
const FLUSHED: f64 = 512.0 * f32::MIN_POSITIVE as f64;

/// Fails if any result of `got` is further from the oracle than the arithmetic allows, naming the worst.
pub fn assert_matches(what: &str, case: &Case, got: &Output, oracle: &Evaluation) {
    let flushed = FLUSHED * factor(&case.loss).max(1.0);
    compare(&format!("{what}: values"), 1, &got.values, &oracle.values, oracle.storage[0], flushed);
    match (&got.parts, &oracle.parts) {
        (Some(got), Some(reals)) => {
            compare(&format!("{what}: parts"), 3, got.as_flattened(), reals.as_flattened(), Storage::F32, flushed);
        }
        (None, None) => {}
        _ => panic!("{what}: parts in one result only"),
    }
    match (&got.dlogits, &oracle.dlogits) {
        (Some(got), Some(reals)) => {
            compare(&format!("{what}: dlogits"), case.shape.dlogits_stride, got, reals, oracle.storage[1], flushed);
        }
        (None, None) => {}
        _ => panic!("{what}: dlogits in one result only"),
    }
    match (&got.dtargets, &oracle.dtargets) {
        (Some(got), Some(reals)) => {
            compare(&format!("{what}: dtargets"), case.shape.dtargets_stride, got, reals, oracle.storage[2], flushed);
        }
        (None, None) => {}
        _ => panic!("{what}: dtargets in one result only"),
    }
    match (&got.row_state, &oracle.row_state) {
        (Some(got), Some(oracle)) => compare_state(&format!("{what}: row_state"), got, oracle),
        (None, None) => {}
        _ => panic!("{what}: row_state in one result only"),
    }
    match (&got.side, &oracle.side) {
        (Some(got), Some((_, oracle))) => compare_side(&format!("{what}: side"), got, oracle),
        (None, None) => {}
        _ => panic!("{what}: side outputs in one result only"),
    }
}

/// The same of a pass's results as a device has them.
pub fn assert_bits_match(what: &str, case: &Case, got: &Bits, oracle: &Evaluation) {
    let flushed = FLUSHED * factor(&case.loss).max(1.0);
    let [values, dlogits, dtargets] = oracle.storage;
    match &oracle.parts {
        // Each loss is followed by its parts.
        Some(parts) => {
            let each = oracle.values.iter().zip(parts).flat_map(|(value, parts)| [*value].into_iter().chain(*parts));
            let each: Vec<Real> = each.collect();
            compare(&format!("{what}: values and parts"), 4, &widened(&got.values, values), &each, values, flushed);
        }
        None => compare(&format!("{what}: values"), 1, &widened(&got.values, values), &oracle.values, values, flushed),
    }
    // Without the padding.
    let shape = &case.shape;
    let dense = |reals: &Option<Vec<Real>>, stride: usize| -> Vec<Real> {
        let all = reals.as_deref().unwrap_or_default().iter().enumerate();
        all.filter(|(i, _)| i % stride < shape.n_classes * shape.inner).map(|(_, real)| *real).collect()
    };
    for (name, got, oracle, stride, storage) in [
        ("dlogits", &got.dlogits, &oracle.dlogits, shape.dlogits_stride, dlogits),
        ("dtargets", &got.dtargets, &oracle.dtargets, shape.dtargets_stride, dtargets),
    ] {
        let width = shape.n_classes * shape.inner;
        compare(&format!("{what}: {name}"), width, &widened(got, storage), &dense(oracle, stride), storage, flushed);
    }
    if let Some(state) = &oracle.row_state {
        compare_state(&format!("{what}: row_state"), &widened(&got.row_state, Storage::F32), state);
    }
    if let Some((side, reals)) = &oracle.side {
        let Side { lse, entropy, log_prob, prob, argmax, top_1, top_k, .. } = *side;
        let before = [lse, entropy, log_prob, prob].into_iter().filter(|asked| *asked).count();
        let after = [top_1, top_k.is_some()].into_iter().filter(|asked| *asked).count();
        let width = before + usize::from(argmax) + after;
        compare_side_words(&format!("{what}: side"), width, argmax.then_some(before), &got.side, reals);
    }
}

/// Numbers as they are stored.
fn widened(bits: &[u32], storage: Storage) -> Vec<f32> {
    let widen = |&bits: &u32| match storage {
        Storage::F32 => f32::from_bits(bits),
        Storage::Bf16 => bf16::from_bits(bits as u16).to_f32(),
        Storage::F16 => f16::from_bits(bits as u16).to_f32(),
    };
    bits.iter().map(widen).collect()
}

/// The columns of side outputs, as bits; no class is NaN, as the oracle has it.
fn side_columns(side: &SideOutputs) -> Vec<Vec<u32>> {
    let bits = |column: &Option<Vec<f32>>| column.as_ref().map(|column| column.iter().map(|x| x.to_bits()).collect());
    let SideOutputs { lse, entropy, log_prob, prob, argmax, top_1, top_k, .. } = side;
    let all = [bits(lse), bits(entropy), bits(log_prob), bits(prob), argmax.clone(), bits(top_1), bits(top_k)];
    all.into_iter().flatten().collect()
}

/// Side outputs row by row, as a kernel writes them.
pub fn side_words(side: &SideOutputs) -> Vec<u32> {
    let columns = side_columns(side);
    let n_rows = columns.first().map_or(0, Vec::len);
    (0..n_rows).flat_map(|n| columns.iter().map(move |column| column[n])).collect()
}

fn compare_side(what: &str, got: &SideOutputs, oracle: &[Real]) {
    let (columns, words) = (side_columns(got), side_words(got));
    let argmax = got.argmax.as_ref().and_then(|argmax| columns.iter().position(|column| column == argmax));
    compare_side_words(what, columns.len(), argmax, &words, oracle);
}

/// Row by row, with the column of classes, of which none is NaN in the oracle.
fn compare_side_words(what: &str, width: usize, argmax: Option<usize>, words: &[u32], oracle: &[Real]) {
    let number = |(i, &word): (usize, &u32)| match argmax == Some(i % width) {
        true if word == u32::MAX => f32::NAN,
        true => word as f32,
        false => f32::from_bits(word),
    };
    let numbers: Vec<_> = words.iter().enumerate().map(number).collect();
    compare(what, width, &numbers, oracle, Storage::F32, FLUSHED);
}

/// The state of a row without a value says so in one of its numbers, which the backward pass reads; the others are
/// free.
fn compare_state(what: &str, got: &[f32], oracle: &[Real]) {
    assert_eq!(got.len(), oracle.len(), "{what}: length");
    let free = |(&got, &want): (&f32, &Real)| if want.value.is_nan() { want.value as f32 } else { got };
    compare(what, 1, &got.iter().zip(oracle).map(free).collect::<Vec<_>>(), oracle, Storage::F32, FLUSHED);
}

fn compare(what: &str, width: usize, got: &[f32], oracle: &[Real], storage: Storage, flushed: f64) {
    assert_eq!(got.len(), oracle.len(), "{what}: length");
    let worst = got.iter().zip(oracle).map(|(&got, &want)| excess(got, want, storage, flushed)).enumerate();
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
fn excess(got: f32, want: Real, storage: Storage, flushed: f64) -> f64 {
    let stored = storage.round(want.value);
    if got == stored || (got.is_nan() && want.value.is_nan()) {
        return 0.0;
    }
    if !got.is_finite() || !stored.is_finite() {
        return f64::INFINITY;
    }
    assert!(want.rounding.is_finite(), "{:e} may be off by anything", want.value);
    let computed = UNIT * (UNITS * want.rounding + want.value.abs()) + flushed;
    let allowed = computed + half_a_unit(storage, want.value.abs() + computed);
    (f64::from(got) - want.value).abs() / allowed
}

/// What rounding a number up to `magnitude` to this storage may change. f32 itself is counted with the arithmetic.
fn half_a_unit(storage: Storage, magnitude: f64) -> f64 {
    let (digits, smallest) = match storage {
        Storage::F32 => return 0.0,
        Storage::Bf16 => (8, -126),
        Storage::F16 => (11, -14),
    };
    let exponent = (magnitude.log2().floor() as i32).max(smallest);
    f64::from(exponent - digits).exp2()
}
