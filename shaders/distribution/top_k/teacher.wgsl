//! A teacher that names k classes of its row, id_i with mass p_i (0 <= i < k), as one probability per class:
//!
//!     P_c = sum of p_i over id_i = c, over sum_i p_i if renormalised
//!     P_c = even where no id is c: 0, or (1 - sum_i p_i)/(C - n) if the rest is spread, n classes named
//!
//! So each class is written once, by the lane that read it, whatever is stored where, and no other file knows of ids.
//! Whether a tile of four classes is named is asked of a Bloom filter in workgroup memory (Bloom 1970), two bits a
//! tile: no for nearly all. Only where it says yes are the k ids read through, sixteen at a time: lavapipe ends the
//! loops of an invocation after 65535 steps, whatever they are at.

const IS_DENSE: bool = false;

const RENORMALISED: u32 = 1u;
const SPREAD: u32 = 2u;

/// Words of the filters of a workgroup's rows: 4 KiB beside the lanes' sums in WebGPU's default 16 KiB.
const FILTER_WORDS: u32 = 1024u;

var<workgroup> named_tiles: array<atomic<u32>, FILTER_WORDS>;

/// What a row's teacher is beside its slots.
struct Truth {
    /// Its first slot.
    first: u32,
    /// Where its filter starts.
    filter_start: u32,
    /// What masses are divided by.
    divisor: f32,
    /// The probability of a class that is not named.
    even: f32,
    /// sum of P: adding up as many equal numbers would round to one side.
    mass: f32,
    poisoned: bool,
}

/// Of the row that this lane stands on.
var<private> teacher_of_row: Truth;

/// What slots add up to. What they leave of 1 is a difference, of which a logarithm may be taken: so the sum comes with
/// what its roundings took off, and that with what its own did (Klein 2006).
struct Mass {
    sum: f32,
    tail: f32,
    tip: f32,
    /// Classes named.
    n: u32,
    flags: u32,
}

const NO_MASS: Mass = Mass(0f, 0f, 0f, 0u, 0u);

/// a + b, rounded, and what rounding took off (Knuth's two-sum).
fn two_sum(a: f32, b: f32) -> vec2<f32> {
    let sum = opaque(a + b);
    let of_b = opaque(sum - a);
    let of_a = opaque(sum - of_b);
    return vec2<f32>(sum, opaque(a - of_a) + opaque(b - of_b));
}

fn merge_Mass(a: Mass, b: Mass) -> Mass {
    let sum = two_sum(a.sum, b.sum);
    let tails = two_sum(a.tail, b.tail);
    let tail = two_sum(tails.x, sum.y);
    return Mass(sum.x, tail.x, a.tip + b.tip + tails.y + tail.y, a.n + b.n, a.flags | b.flags);
}

/// The sum, rounded once.
fn sum_of(mass: Mass) -> f32 {
    return mass.sum + mass.tail;
}

/// 1 - sum, unless they are more than that.
fn rest_of(mass: Mass) -> f32 {
    return max(opaque(opaque(1f - mass.sum) - mass.tail) - mass.tip, 0f);
}

fn mass_at(slot: u32) -> Mass {
    return mass_of(target_probs_bits(params.target_probs + slot));
}

/// The two bits of the tile that class j is in, among those of a row's filter; a power of two, as LANES is.
fn bits_of_tile(j: u32) -> vec2<u32> {
    let tile = j / 4u;
    // Knuth's multiplier: 2^32 over the golden ratio.
    return vec2<u32>(tile, (tile * 2654435769u) >> 12u) % (LANES * 32u * (FILTER_WORDS / WORKGROUP_SIZE));
}

fn name_tile(filter_start: u32, j: u32) {
    let bits = bits_of_tile(j);
    atomicOr(&named_tiles[filter_start + bits.x / 32u], 1u << (bits.x % 32u));
    atomicOr(&named_tiles[filter_start + bits.y / 32u], 1u << (bits.y % 32u));
}

fn may_be_named(filter_start: u32, j: u32) -> bool {
    let bits = bits_of_tile(j);
    let one = atomicLoad(&named_tiles[filter_start + bits.x / 32u]) >> (bits.x % 32u);
    let other = atomicLoad(&named_tiles[filter_start + bits.y / 32u]) >> (bits.y % 32u);
    return (one & other & 1u) != 0u;
}

/// Whether four of the slots before the i-th, from `other` on, name this class.
fn have_id(first: u32, i: u32, other: u32, id: i32) -> bool {
    let slots = first + min(vec4<u32>(other, other + 1u, other + 2u, other + 3u), vec4<u32>(i - 1u));
    let ids = vec4<i32>(label_of(slots.x), label_of(slots.y), label_of(slots.z), label_of(slots.w));
    return any(ids == vec4<i32>(id));
}

/// Whether a slot before the i-th of a row names this class too.
fn is_repeated(first: u32, i: u32, id: i32) -> bool {
    var found = false;
    for (var other = 0u; other < i; other += 16u) {
        found |= have_id(first, i, other, id) || have_id(first, i, other + 4u, id)
            || have_id(first, i, other + 8u, id) || have_id(first, i, other + 12u, id);
    }
    return found;
}

/// Every lane of the workgroup takes part; slots with a negative id are not in use.
fn truth_of(lane: Lane, row: u32) -> Truth {
    let rank = lane.index % LANES;
    var truth = Truth(row * params.k, (lane.index - rank) * (FILTER_WORDS / WORKGROUP_SIZE), 1f, 0f, 0f, false);
    // 1. An empty filter.
    for (var i = lane.index; i < FILTER_WORDS; i += WORKGROUP_SIZE) {
        atomicStore(&named_tiles[i], 0u);
    }
    workgroupBarrier();
    // 2. The lane's slots, LANES apart: their classes, mass and, where the rest is spread, the number of classes.
    var own = NO_MASS;
    for (var i = rank; i < params.k; i += LANES) {
        let id = label_of(truth.first + i);
        if (id >= 0) {
            name_tile(truth.filter_start, u32(id));
            var mass = mass_at(truth.first + i);
            mass.flags |= select(0u, HAS_NAN, u32(id) >= params.n_classes);
            mass.n = u32(params.rest == SPREAD && !is_repeated(truth.first, i, id));
            own = merge_Mass(own, mass);
        }
    }
    workgroupBarrier();
    // 3. The row's.
    let mass = reduce_Mass(lane, own, LANES);
    // Masses that add up to infinity are no distribution.
    truth.poisoned = mass.flags != 0u || (bitcast<u32>(mass.sum) << 1u) >= 0xff000000u;
    truth.mass = sum_of(mass);
    if (params.rest == RENORMALISED && truth.mass > 0f) {
        truth.divisor = truth.mass;
        truth.mass = 1f;
    }
    if (params.rest == SPREAD) {
        let others = params.n_classes - mass.n;
        if (others > 0u) {
            truth.even = rest_of(mass) / f32(others);
            truth.mass = max(1f, truth.mass);
        }
    }
    teacher_of_row = truth;
    return truth;
}

fn given_mass(truth: Truth, sums: Sums) -> f32 {
    return truth.mass;
}

fn is_settled(truth: Truth) -> bool {
    return false;
}

/// What slots have at four classes.
struct Named {
    p: vec4<f32>,
    is_named: vec4<bool>,
}

/// With one more slot, of those before `end`, at the classes from j.
fn with_slot(named: Named, slot: u32, end: u32, j: u32) -> Named {
    // An id below 0 is none of the classes.
    let c = u32(label_of(min(slot, end - 1u))) - j;
    if (slot >= end || c > 3u) {
        return named;
    }
    let at = vec4<u32>(0u, 1u, 2u, 3u) == vec4<u32>(c);
    return Named(named.p + select(vec4<f32>(), vec4<f32>(mass_at(slot).sum), at), named.is_named | at);
}

fn with_four_slots(named: Named, slot: u32, end: u32, j: u32) -> Named {
    let two = with_slot(with_slot(named, slot, end, j), slot + 1u, end, j);
    return with_slot(with_slot(two, slot + 2u, end, j), slot + 3u, end, j);
}

/// P at four classes from j, some of which may be named.
fn named_probabilities(truth: Truth, j: u32) -> vec4<f32> {
    var named = Named();
    let end = truth.first + params.k;
    for (var i = truth.first; i < end; i += 16u) {
        named = with_four_slots(named, i, end, j);
        named = with_four_slots(named, i + 4u, end, j);
        named = with_four_slots(named, i + 8u, end, j);
        named = with_four_slots(named, i + 12u, end, j);
    }
    var p = named.p;
    if (params.rest == RENORMALISED) {
        p /= truth.divisor;
    }
    return select(vec4<f32>(truth.even), p, named.is_named);
}

/// The bits of P at four classes from j, a multiple of four, of which `left` exist; NaN throughout a row without a
/// value.
fn load_teacher(place: Place, j: u32, left: u32) -> vec4<u32> {
    let truth = teacher_of_row;
    if (truth.poisoned) {
        return vec4<u32>(NAN);
    }
    var p = vec4<f32>(truth.even);
    if (may_be_named(truth.filter_start, j)) {
        p = named_probabilities(truth, j);
    }
    return select(vec4<u32>(TEACHER_FILL), bitcast<vec4<u32>>(p), vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(left));
}
