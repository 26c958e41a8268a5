//! Losses with one term per element, loss and dloss_dx of x, y and the class's factor b. One pass: the gradient needs
//! nothing of the rest of the row.

/// Whether elements have weights.
override ELEMENT_WEIGHTS: bool = true;

/// x, y and b of one element, and its weight.
struct Element {
    x: u32,
    y: u32,
    factor: f32,
    weight: f32,
}

fn element(row: u32, j: u32, x: u32, y: u32) -> Element {
    return Element(x, y, element_factor(j), element_weight(row, j));
}

fn element_weight(row: u32, j: u32) -> f32 {
    if (!ELEMENT_WEIGHTS) {
        return 1f;
    }
    let at = params.weights + row_start(row, params.weights_row_stride) + j * params.weights_class_stride;
    return bitcast<f32>(weights[at]);
}

fn load4(place: Place, j: u32, left: u32) -> array<Element, 4> {
    let x = load_logits(class_at(place.logits, j), left, 0u);
    let y = targets4(place, j, left);
    let last = j + left - 1u;
    return array(
        element(place.row, j, x.x, y.x),
        element(place.row, min(j + 1u, last), x.y, y.y),
        element(place.row, min(j + 2u, last), x.z, y.z),
        element(place.row, min(j + 3u, last), x.w, y.w),
    );
}

/// Infinities are computed with as the largest numbers; settle() sees to the result.
fn logit(e: Element) -> f32 {
    return clamp_infinity(e.x);
}

fn clamp_infinity(bits: u32) -> f32 {
    return bitcast<f32>(select(bits, (bits & 0x80000000u) | 0x7f7fffffu, is_infinite(bits)));
}

fn is_infinite(bits: u32) -> bool {
    return (bits << 1u) == 0xff000000u;
}

/// Outside 0..=1, or NaN.
fn is_no_probability(bits: u32) -> bool {
    return bits > 0x3f800000u && bits != 0x80000000u;
}

/// A weight that is NaN or infinite.
fn has_bad_weight(e: Element) -> bool {
    return (bitcast<u32>(e.weight) << 1u) >= 0xff000000u;
}

/// A result as bits: NaN where an input is or the formula has no value but for a weight of 0, and infinite, with the
/// result's sign, where the formula is infinite but for a factor of 0.
fn settle(e: Element, result: f32, infinite: bool) -> u32 {
    var bits = bitcast<u32>(result);
    if (infinite) {
        bits = select(select(0u, NEG_INF, result < 0f), POS_INF, result > 0f);
    }
    return select(bits, NAN, is_nan(e.x) || is_nan(e.y) || has_bad_weight(e) || (e.weight != 0f && is_undefined(e)));
}

/// Everything a formula needs of a logit: exp(-|x|) is computed once.
struct Sigmoid {
    /// sigmoid(x) and sigmoid(-x).
    up: f32,
    down: f32,
    /// softplus(x) and softplus(-x): the larger may be infinite.
    plus: f32,
    minus: f32,
}

fn sigmoid_of(x: f32) -> Sigmoid {
    let e = exp32(-abs(x));
    let far = e / (1f + e);
    let near = 1f / (1f + e);
    let tail = log1p32(e);
    if (x >= 0f) {
        return Sigmoid(near, far, x + tail, tail);
    }
    return Sigmoid(far, near, tail, tail - x);
}

fn value(e: Element) -> u32 {
    return settle(e, times(e.weight, loss(e)), is_infinite(e.x));
}

fn values4(e: array<Element, 4>) -> vec4<u32> {
    return vec4<u32>(value(e[0]), value(e[1]), value(e[2]), value(e[3]));
}
