//! A teacher that names k classes of its row, id_i with mass p_i (0 <= i < k), as one probability per class:
//!
//!     P_c = sum of p_i over id_i = c, over sum_i p_i if renormalised
//!     P_c = even where no id is c: 0, or (1 - sum_i p_i)/(C - n) if the rest is spread, n slots in use
//!
//! So each class is written once by the lane that read it, whatever is stored where, and no other file knows of ids. Which
//! classes of a tile are named is asked of a table of bits in workgroup memory, a bit for the ids of one residue: no for
//! nearly all. Only where it says yes are the k ids read through.

const IS_DENSE: bool = false;

const RENORMALISED: u32 = 1u;
const SPREAD: u32 = 2u;

/// Words of the table for each lane of the row: 4 KiB for 256 lanes, beside their sums in WebGPU's default 16 KiB.
const TABLE_WORDS: u32 = 4u;
/// Residues told apart.
const RESIDUES: u32 = LANES * TABLE_WORDS * 32u;

var<workgroup> named: array<array<atomic<u32>, TABLE_WORDS>, WORKGROUP_SIZE>;

/// What a row's teacher is beside its slots.
struct Truth {
    /// Its first slot.
    first: u32,
    /// The lane whose words its table starts with.
    table: u32,
    /// What masses are divided by.
    divisor: f32,
    /// The probability of a class that is not named.
    even: f32,
    poisoned: bool,
}

/// Of the row that this lane stands on.
var<private> teacher_of_row: Truth;

fn mass_at(slot: u32) -> Total {
    return mass_of(target_probs_bits(params.target_probs + slot));
}

/// Enters an id in the table.
fn name_class(table: u32, id: u32) {
    let bit = id % RESIDUES;
    atomicOr(&named[table + bit / (32u * TABLE_WORDS)][bit / 32u % TABLE_WORDS], 1u << (bit % 32u));
}

/// Every lane of the workgroup takes part; slots with a negative id are not in use.
fn truth_of(lane: Lane, row: u32) -> Truth {
    let rank = lane.index % LANES;
    var truth = Truth(row * params.k, lane.index - rank, 1f, 0f, false);
    // 1. An empty table.
    for (var i = 0u; i < TABLE_WORDS; i++) {
        atomicStore(&named[lane.index][i], 0u);
    }
    workgroupBarrier();
    // 2. The lane's slots, LANES apart: their classes, mass and number.
    var own = NOTHING;
    var n_own = 0u;
    var i = rank;
    while (i < params.k) {
        var block = NOTHING;
        let end = min(params.k, i + TILES_PER_BLOCK * LANES);
        for (; i < end; i += LANES) {
            let id = label_of(truth.first + i);
            if (id >= 0) {
                name_class(truth.table, u32(id));
                let mass = mass_at(truth.first + i);
                let flags = mass.flags | select(0u, HAS_NAN, u32(id) >= params.n_classes);
                block = merge_Total(block, Total(mass.sum, flags));
                n_own++;
            }
        }
        own = merge_Total(own, block);
    }
    workgroupBarrier();
    // 3. The row's.
    let mass = reduce_Total(lane, own, LANES);
    truth.poisoned = mass.flags != 0u;
    if (params.rest == RENORMALISED && mass.sum > 0f) {
        truth.divisor = mass.sum;
    }
    if (params.rest == SPREAD) {
        let n = reduce_Total(lane, Total(f32(n_own), 0u), LANES).sum;
        let others = f32(params.n_classes) - n;
        if (others > 0f) {
            truth.even = max(1f - mass.sum, 0f) / others;
        }
    }
    teacher_of_row = truth;
    return truth;
}

fn is_settled(truth: Truth) -> bool {
    return false;
}

/// P of a class that may be named.
fn probability_of(j: u32) -> f32 {
    let truth = teacher_of_row;
    var p = 0f;
    var is_named = false;
    for (var i = truth.first; i < truth.first + params.k; i++) {
        if (label_of(i) == i32(j)) {
            p += mass_at(i).sum;
            is_named = true;
        }
    }
    if (params.rest == RENORMALISED) {
        p = p / truth.divisor;
    }
    return select(truth.even, p, is_named);
}

/// The bits of P at four classes from j, a multiple of four, of which `left` exist; NaN throughout a row without a value.
fn load_teacher(place: Place, j: u32, left: u32) -> vec4<u32> {
    let truth = teacher_of_row;
    if (truth.poisoned) {
        return vec4<u32>(NAN);
    }
    let bit = j % RESIDUES;
    let word = atomicLoad(&named[truth.table + bit / (32u * TABLE_WORDS)][bit / 32u % TABLE_WORDS]);
    let may_be_named = (word >> (bit % 32u)) & 15u;
    var p = vec4<f32>(truth.even);
    if (may_be_named != 0u) {
        for (var c = 0u; c < min(left, 4u); c++) {
            if (((may_be_named >> c) & 1u) != 0u) {
                p[c] = probability_of(j + c);
            }
        }
    }
    return select(vec4<u32>(TEACHER_FILL), bitcast<vec4<u32>>(p), vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(left));
}
