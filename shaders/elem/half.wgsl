//! 16-bit storage: bf16 and f16 (IEEE 754 binary16), packed two to a word. Widening is exact; narrowing rounds once, to
//! nearest with ties to even. Integer arithmetic alone: WGSL lets pack2x16float round either way and flush or drop what
//! is subnormal, infinite or NaN.

/// What a tensor's elements are stored as.
const F32: u32 = 0u;
const BF16: u32 = 1u;
const F16: u32 = 2u;

/// The bits of f32 from those of 16-bit numbers.
fn widened(half: vec4<u32>, storage: u32) -> vec4<u32> {
    if (storage == BF16) {
        return half << vec4<u32>(16u);
    }
    return f16_widened(half);
}

/// The bits of 16-bit numbers from those of f32.
fn narrowed(bits: vec4<u32>, storage: u32) -> vec4<u32> {
    if (storage == BF16) {
        return bf16_narrowed(bits);
    }
    return f16_narrowed(bits);
}

fn f16_widened(half: vec4<u32>) -> vec4<u32> {
    let magnitude = half & vec4<u32>(0x7fffu);
    // From one exponent bias, 15, to the other, 127; infinity and NaN move as far again.
    var bits = (magnitude << vec4<u32>(13u)) + vec4<u32>(112u << 23u);
    bits = select(bits, bits + vec4<u32>(112u << 23u), magnitude >= vec4<u32>(0x7c00u));
    // Subnormal: a whole number of 2^-24, which is normal in f32.
    let subnormal = bitcast<vec4<u32>>(vec4<f32>(magnitude) * 0x1p-24f);
    bits = select(bits, subnormal, magnitude < vec4<u32>(0x0400u));
    return bits | ((half & vec4<u32>(0x8000u)) << vec4<u32>(16u));
}

/// value / 2^shift to the nearest whole number, ties to even; 1 <= shift.
fn rounded(value: vec4<u32>, shift: vec4<u32>) -> vec4<u32> {
    let less_than_half = (vec4<u32>(1u) << (shift - vec4<u32>(1u))) - vec4<u32>(1u);
    return (value + less_than_half + ((value >> shift) & vec4<u32>(1u))) >> shift;
}

/// A number beyond the largest rounds to infinity by itself: the carry runs into the exponent.
fn bf16_narrowed(bits: vec4<u32>) -> vec4<u32> {
    let is_nan = (bits & vec4<u32>(0x7fffffffu)) > vec4<u32>(POS_INF);
    let sign = (bits >> vec4<u32>(16u)) & vec4<u32>(0x8000u);
    return select(rounded(bits, vec4<u32>(16u)), sign | vec4<u32>(0x7fc0u), is_nan);
}

fn f16_narrowed(bits: vec4<u32>) -> vec4<u32> {
    let magnitude = bits & vec4<u32>(0x7fffffffu);
    // Below the smallest normal number, 2^-14: a whole number of 2^-24. Below 2^-25 all is 0.
    let mantissa = (magnitude & vec4<u32>(0x007fffffu)) | vec4<u32>(0x00800000u);
    let shift = clamp(vec4<u32>(126u) - (magnitude >> vec4<u32>(23u)), vec4<u32>(1u), vec4<u32>(25u));
    let subnormal = rounded(mantissa, shift);
    let normal = rounded(magnitude - vec4<u32>(112u << 23u), vec4<u32>(13u));
    var half = select(normal, subnormal, magnitude < vec4<u32>(113u << 23u));
    // 65520, halfway between the largest number and the next power of two.
    half = select(half, vec4<u32>(0x7c00u), magnitude >= vec4<u32>(0x477ff000u));
    half = select(half, vec4<u32>(0x7e00u), magnitude > vec4<u32>(POS_INF));
    return half | ((bits >> vec4<u32>(16u)) & vec4<u32>(0x8000u));
}

/// Two words as four 16-bit numbers, the first in the low half of the first word.
fn unpacked(pairs: vec2<u32>) -> vec4<u32> {
    return vec4<u32>(pairs.x & 0xffffu, pairs.x >> 16u, pairs.y & 0xffffu, pairs.y >> 16u);
}

fn packed(half: vec4<u32>) -> vec2<u32> {
    return half.xz | (half.yw << vec2<u32>(16u));
}
