//! Sixteen numbers at a time, in plain Rust that compilers turn into vectors, for the widest registers there are.
//!
//! Nothing here is contracted or reordered by a compiler, so results are the same on every processor: which lane a
//! class enters depends on its index alone.

/// Numbers that are computed side by side: one AVX-512 register, two of AVX2, four of SSE2 or NEON.
pub(super) const LANES: usize = 16;
/// Classes whose terms are added up in f32, 64 in a lane, before f64 takes over.
const BLOCK: usize = 64 * LANES;

/// Terms in f64 that are computed before they are added up.
pub(super) const BLOCK_OF_F64: usize = 64;

/// As many of a block's places as `n` numbers need in registers of eight: loops over whole ones have no rest.
#[inline(always)]
pub(super) fn whole_vectors(n: usize) -> usize {
    BLOCK_OF_F64.min(n.next_multiple_of(8))
}

/// Numbers that a loop has in memory, where it would wait for those that cross a cache line.
#[repr(align(64))]
struct Aligned<T>([T; LANES]);

/// Work whose loops are worth compiling for each instruction set. All it calls must be `#[inline(always)]`.
pub(super) trait Task {
    fn run(self);
}

/// Runs a task compiled for the best instruction set of this processor: NEON is in every aarch64 build, and wherever
/// nothing is known at run time the build's own serves.
pub(super) fn vectorised(task: impl Task) {
    match InstructionSet::best() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the processor has these instructions.
        InstructionSet::Avx512 => unsafe { avx512(task) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        InstructionSet::Avx2 => unsafe { avx2(task) },
        InstructionSet::Baseline => task.run(),
    }
}

/// What loops are compiled for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum InstructionSet {
    #[cfg(target_arch = "x86_64")]
    Avx512,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    Baseline,
}

impl InstructionSet {
    fn best() -> InstructionSet {
        #[cfg(target_arch = "x86_64")]
        {
            let has_avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl");
            if has_avx512 {
                return InstructionSet::Avx512;
            }
            if is_x86_feature_detected!("avx2") {
                return InstructionSet::Avx2;
            }
        }
        InstructionSet::Baseline
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn avx512(task: impl Task) {
    task.run();
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn avx2(task: impl Task) {
    task.run();
}

/// The largest number; none if there is none but -inf, or one is NaN or +inf. Looked for among whole numbers of the same
/// order, whose maximum is the same in any order: compilers may take as many at a time as they like.
#[inline(always)]
pub(super) fn largest(x: &[f32]) -> Option<f32> {
    // Negative numbers have their other bits turned round; done twice, nothing has changed.
    let ordered = |bits: i32| bits ^ ((bits >> 31) & i32::MAX);
    let (mut largest, mut magnitude) = (i32::MIN, 0);
    for x in x {
        let bits = x.to_bits() as i32;
        largest = largest.max(ordered(bits));
        magnitude = magnitude.max(bits & i32::MAX);
    }
    let m = f32::from_bits(ordered(largest) as u32);
    let has_nan = magnitude > f32::INFINITY.to_bits() as i32;
    (!has_nan && m.is_finite()).then_some(m)
}

/// Whether no number is NaN.
#[inline(always)]
pub(super) fn all_ordered(x: &[f32]) -> bool {
    x.iter().fold(true, |all, x| all & !x.is_nan())
}

/// The sum of `f` over numbers side by side; `pad`, which adds nothing, stands where the last lanes have none.
#[inline(always)]
pub(super) fn sum<const K: usize>(x: [&[f32]; K], pad: [f32; K], f: impl Fn([f32; K]) -> f32) -> f64 {
    let n = x[0].len();
    let mut sum = 0.0;
    for first in (0..n).step_by(BLOCK) {
        let block = x.map(|x| &x[first..n.min(first + BLOCK)]);
        let mut lanes = [0.0; LANES];
        let mut add = |chunk: [&[f32; LANES]; K]| {
            for (i, lane) in lanes.iter_mut().enumerate() {
                *lane += f(chunk.map(|x| x[i]));
            }
        };
        let (chunks, rest) = (block.map(|x| x.as_chunks().0), block.map(|x| x.as_chunks::<LANES>().1));
        for i in 0..chunks[0].len() {
            add(chunks.map(|chunks| &chunks[i]));
        }
        if !rest[0].is_empty() {
            let padded: [_; K] = std::array::from_fn(|k| padded(rest[k], pad[k]));
            add(padded.each_ref());
        }
        sum += across(lanes.map(f64::from), |a, b| a + b);
    }
    sum
}

/// The sum of `f` over numbers side by side, in f64 throughout: for terms that f32 could not hold.
#[inline(always)]
pub(super) fn wide_sum<const K: usize>(x: [&[f32]; K], f: impl Fn([f64; K]) -> f64) -> f64 {
    let mut lanes = [0.0; LANES];
    let n = x[0].len();
    for first in (0..n).step_by(LANES) {
        let chunk = x.map(|x| &x[first..n.min(first + LANES)]);
        for (i, lane) in lanes.iter_mut().enumerate().take(chunk[0].len()) {
            *lane += f(chunk.map(|x| f64::from(x[i])));
        }
    }
    across(lanes, |a, b| a + b)
}

/// A block's numbers added up, those sixteen apart first.
#[inline(always)]
pub(super) fn total(numbers: &[f64]) -> f64 {
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = numbers.as_chunks::<LANES>();
    for chunk in chunks.iter().map(|chunk| &chunk[..]).chain([rest]) {
        lanes.iter_mut().zip(chunk).for_each(|(lane, x)| *lane += x);
    }
    across(lanes, |a, b| a + b)
}

/// All lanes as one: the upper half joins the lower, until one is left.
#[inline(always)]
fn across<T: Copy>(x: [T; LANES], join: impl Fn(T, T) -> T) -> T {
    let mut y = [x[0]; 8];
    for i in 0..8 {
        y[i] = join(x[i], x[i + 8]);
    }
    let mut z = [x[0]; 4];
    for i in 0..4 {
        z[i] = join(y[i], y[i + 4]);
    }
    join(join(z[0], z[2]), join(z[1], z[3]))
}

/// The lanes of what is left of a row.
#[inline(always)]
fn padded(rest: &[f32], pad: f32) -> [f32; LANES] {
    std::array::from_fn(|i| if i < rest.len() { rest[i] } else { pad })
}

/// `sum exp((x_c - m)/T)` over all classes but one of those that attain `m`. Leaves each exponential in `e`, if that has
/// room.
#[inline(always)]
pub(super) fn exponentials(x: &[f32], m: f32, inv_t: f32, e: &mut [f32]) -> f64 {
    let (mut sum, mut n_largest) = (0.0, 0_u32);
    for (b, block) in x.chunks(BLOCK).enumerate() {
        let e = if e.is_empty() { &mut [] } else { &mut e[b * BLOCK..][..block.len()] };
        let (mut sums, mut ties) = (Aligned([0.0; LANES]), Aligned([0; LANES]));
        let (sums, ties) = (&mut sums.0, &mut ties.0);
        let ((chunks, rest), (e_chunks, e_rest)) = (block.as_chunks(), e.as_chunks_mut::<LANES>());
        if e_chunks.len() == chunks.len() {
            for (chunk, e) in chunks.iter().zip(e_chunks) {
                *e = add_exponentials(chunk, |_| m, inv_t, sums, ties);
            }
        } else {
            for chunk in chunks {
                add_exponentials(chunk, |_| m, inv_t, sums, ties);
            }
        }
        if !rest.is_empty() {
            let last = add_exponentials(&padded(rest, f32::NEG_INFINITY), |_| m, inv_t, sums, ties);
            e_rest.iter_mut().zip(last).for_each(|(e, last)| *e = last);
        }
        sum += across(sums.map(f64::from), |a, b| a + b);
        n_largest += across(*ties, |a, b| a + b);
    }
    sum + (f64::from(n_largest) - 1.0)
}

/// `exp((x - m)/T)` of a number a lane: those that do not attain `m` join the sums, the others are counted.
#[inline(always)]
pub(super) fn add_exponentials(
    x: &[f32; LANES],
    m: impl Fn(usize) -> f32,
    inv_t: f32,
    sums: &mut [f32; LANES],
    ties: &mut [u32; LANES],
) -> [f32; LANES] {
    let mut e = [0.0; LANES];
    for i in 0..LANES {
        e[i] = exp_nonpositive((x[i] - m(i)) * inv_t);
        let others = if x[i] == m(i) { 0 } else { u32::MAX };
        sums[i] += f32::from_bits(e[i].to_bits() & others);
        ties[i] += 1 & !others;
    }
    e
}

/// e^x for x <= 0, to 1.5 units; 0 below -86.6, short of the smallest normal numbers. As in `shaders/math.wgsl`.
#[inline(always)]
pub(super) fn exp_nonpositive(x: f32) -> f32 {
    /// 1.5 x 2^23: a sum with it holds the other term, rounded to a whole number, in its low bits.
    const ROUNDER: f32 = 12_582_912.0;
    let is_normal = x > -86.6;
    let x = if is_normal { x } else { 0.0 };
    let rounded = x * std::f32::consts::LOG2_E + ROUNDER;
    let n = rounded - ROUNDER;
    // The product with the upper part of log 2, which is 355/512, is exact.
    let r = (x - n * (355.0 / 512.0)) + n * 2.121_944_4e-4;
    let mut y = 1.381_454e-3 * r + 8.368_745e-3;
    y = y * r + 4.166_839e-2;
    y = y * r + 1.666_652_1e-1;
    y = y * r + 4.999_999_4e-1;
    y = (y * r + 1.0) * r + 1.0;
    let e = f32::from_bits(y.to_bits().wrapping_add(rounded.to_bits() << 23));
    if is_normal { e } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::super::functions::{exp, ln, ln_1p};
    use super::{InstructionSet, LANES, Task, exponentials, largest, sum};

    /// Numbers from 0 down to -20, ten of them the largest of their row.
    fn row(n: usize) -> Vec<f32> {
        let number = |i: usize| -((i * 7919 % 1009) as f32) / 50.0;
        (0..n).map(|i| if i % 97 == 3 { 0.0 } else { number(i) }).collect()
    }

    struct Row<'a> {
        x: &'a [f32],
        bits: &'a mut Vec<u64>,
    }

    impl Task for Row<'_> {
        #[inline(always)]
        fn run(self) {
            let Row { x, bits } = self;
            let mut e = vec![f32::NAN; x.len()];
            let m = largest(x).expect("every number is one");
            let excess = exponentials(x, m, 0.7, &mut e);
            bits.extend([m.to_bits().into(), excess.to_bits()]);
            bits.extend(e.iter().map(|e| u64::from(e.to_bits())));
            bits.push(sum([x, &e], [0.0; 2], |[x, e]| x * e).to_bits());
            for f in [exp, ln, ln_1p] {
                bits.extend(e.iter().map(|&e| f(e.into()).to_bits()));
            }
        }
    }

    #[test]
    fn every_instruction_set_gives_the_same_bits() {
        for n in [1, 2, 7, LANES - 1, LANES, LANES + 1, 100, 1023, 1024, 1025, 5000] {
            let x = row(n);
            let (mut baseline, mut found) = (Vec::new(), Vec::new());
            Row { x: &x, bits: &mut baseline }.run();
            super::vectorised(Row { x: &x, bits: &mut found });
            assert_eq!(found, baseline, "{n} numbers, {:?}", InstructionSet::best());
            #[cfg(target_arch = "x86_64")]
            if InstructionSet::best() == InstructionSet::Avx512 {
                found.clear();
                // SAFETY: a processor with AVX-512 has AVX2.
                unsafe { super::avx2(Row { x: &x, bits: &mut found }) };
                assert_eq!(found, baseline, "{n} numbers, AVX2");
            }
        }
    }

    #[test]
    fn every_processor_gives_the_same_bits() {
        let mut bits = Vec::new();
        super::vectorised(Row { x: &row(5000), bits: &mut bits });
        let digest = bits.iter().fold(0_u64, |digest, bits| digest.rotate_left(1).wrapping_add(*bits));
        // Found on x86-64 and on aarch64.
        assert_eq!(digest, 0x5305_c783_7462_0327, "{digest:#x}");
    }

    #[test]
    fn the_largest_is_found_among_numbers_alone() {
        let numbers = [-1.0, -3e38, f32::MIN_POSITIVE / 4.0, -0.5, 3e38, 2.0, f32::MIN, -f32::MIN_POSITIVE, 0.0];
        for n in [1, 2, 15, 16, 17, 64, 100, 1000] {
            let x: Vec<f32> = (0..n).map(|i| numbers[(i * 5 + n) % numbers.len()]).collect();
            let want = x.iter().copied().fold(f32::NEG_INFINITY, f32::max);
            assert_eq!(largest(&x), Some(want), "{x:?}");
            let with = |other: f32, i: usize| [&x[..i], &[other], &x[i + 1..]].concat();
            for i in [0, n / 2, n - 1] {
                for none in [f32::NAN, -f32::NAN, f32::INFINITY] {
                    assert_eq!(largest(&with(none, i)), None, "{none} at {i} of {n}");
                }
                let masked = with(f32::NEG_INFINITY, i);
                let want = masked.iter().copied().fold(f32::NEG_INFINITY, f32::max);
                assert_eq!(largest(&masked), (n > 1).then_some(want), "{masked:?}");
            }
        }
        assert_eq!((largest(&[]), largest(&[f32::NEG_INFINITY; 20])), (None, None));
    }

    #[test]
    fn exponentials_leave_out_one_largest() {
        let x = row(300);
        let mut e = vec![f32::NAN; x.len()];
        let excess = exponentials(&x, 0.0, 1.0, &mut e);
        let want = x.iter().map(|&x| f64::from(x).exp()).sum::<f64>() - 1.0;
        assert!((excess - want).abs() < 1e-6 * want, "{excess}, not {want}");
        for (x, e) in x.iter().zip(e) {
            let want = f64::from(*x).exp();
            assert!((f64::from(e) - want).abs() <= 1.5 * f64::from(f32::EPSILON) * want, "e^{x} is {e}, not {want}");
        }
    }
}
