//! What side outputs need of a row, gathered in the pass that makes its loss. SIDE says which are wanted.

override SIDE: u32 = 127u;

const LSE: u32 = 1u;
const ENTROPY: u32 = 2u;
const LOG_PROB: u32 = 4u;
const PROB: u32 = 8u;
const ARGMAX: u32 = 16u;
const TOP_1: u32 = 32u;
const TOP_K: u32 = 64u;

const NO_CLASS: u32 = 0xffffffffu;

/// What the outputs need beside (m, D).
struct Seen {
    /// See softmax_moment.wgsl.
    moment: f32,
    /// The first class that attains m.
    argmax: u32,
    /// Logits greater than the target's.
    above: u32,
}

const NOTHING_SEEN: Seen = Seen(0f, NO_CLASS, 0u);

fn wants(output: u32) -> bool {
    return (SIDE & output) != 0u;
}

fn see(seen: Seen, before: Softmax, step: Step, bits: u32, j: u32) -> Seen {
    var after = seen;
    if (wants(ENTROPY)) {
        after.moment = step_moment(seen.moment, before, step, bits);
    }
    if (wants(ARGMAX) && bits != NEG_INF) {
        let x = bitcast<f32>(bits);
        let first = select(seen.argmax, min(seen.argmax, j), x == before.m);
        after.argmax = select(first, j, x > before.m || before.D < 0f);
    }
    if (wants(TOP_1) || wants(TOP_K)) {
        after.above += select(0u, 1u, is_above_target(bits));
    }
    return after;
}

fn merge_Seen(a: Seen, b: Seen, of_a: Softmax, of_b: Softmax, join: Join) -> Seen {
    var seen = Seen(0f, NO_CLASS, a.above + b.above);
    if (wants(ENTROPY)) {
        seen.moment = join_moment(a.moment, of_a, b.moment, of_b, join);
    }
    if (wants(ARGMAX)) {
        let first = select(a.argmax, b.argmax, of_b.m > of_a.m);
        seen.argmax = select(first, min(a.argmax, b.argmax), of_a.m == of_b.m);
        seen.argmax = select(seen.argmax, b.argmax, of_a.D < 0f);
        seen.argmax = select(seen.argmax, a.argmax, of_b.D < 0f);
    }
    return seen;
}
