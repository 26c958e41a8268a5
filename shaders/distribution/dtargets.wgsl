//! Beside the student's the teacher's gradient, of KL = sum_c p_c h_c with h = log p - log q:
//!
//!     p_j (h_j - KL)/T for logits,    p_j (h_j + 1) for log-probabilities,    h_j + 1 for probabilities
//!
//! For logits it has no value where KL is infinite; given as they are, single classes may have an infinite slope.

const TEACHER_GRADIENT: bool = true;

fn dtarget(row: Row, e: Element, factor: f32) -> u32 {
    let c = class_of(row, e);
    var dy = teacher_slope(c, log_ratio(c.log_p, c.log_q), row.mean);
    if (TEACHER_LOGITS && SOFTCAP) {
        dy *= cap_slope(e.y);
    }
    let bits = bitcast<u32>(dy * factor);
    if (TEACHER_LOGITS) {
        return select(bits, NAN, row.missed);
    }
    // Towards infinity where only q is 0, from minus infinity where only p is.
    let no_p = c.p == 0f;
    let no_q = e.x == NEG_INF;
    let steep = select(0f, factor, no_q && !no_p) - select(0f, factor, SLOPE_OF_NOTHING && no_p && !no_q);
    let infinite = select(select(bits, POS_INF, steep > 0f), NEG_INF, steep < 0f);
    return select(infinite, 0u, no_p && (no_q || !SLOPE_OF_NOTHING));
}

fn dtargets_at(place: Place, j: u32) -> u32 {
    return class_at(params.dtargets + row_start(place.row, params.dtargets_stride), j);
}

fn write_dtargets(place: Place, row: Row, j: u32, e: array<Element, 4>, factor: f32) {
    let bits = vec4<u32>(
        dtarget(row, e[0], factor),
        dtarget(row, e[1], factor),
        dtarget(row, e[2], factor),
        dtarget(row, e[3], factor),
    );
    store_dtargets(dtargets_at(place, j), place.end - j, bits);
}

fn fill_dtargets(place: Place, j: u32, bits: u32) {
    store_dtargets(dtargets_at(place, j), place.end - j, vec4<u32>(bits));
}
