//! Losses of a distribution Q (ours) against P (the target). The first read of a row finds both normalisers; with them
//!
//!     dx_j = (slope_j - q_j sum_c slope_c)/T for logits,    slope_j for log-probabilities,    slope_c = dloss/dlog q_c
//!
//! Logits of Q may have a z-loss z lse^2, with 2 z lse q_j in the bracket; a soft cap's sech^2(x_j/cap) is a factor.
//!
//! Where loss and slopes are summed: mean.wgsl in that first read, normalised.wgsl in a second one.

/// The word after both (m, D): the slopes' sum, or where that is known the mean, for the gradient of a teacher's
/// logits.
const LAST: u32 = STUDENT_STATE + TEACHER_STATE;
const SAVES_MEAN: bool = SLOPES_KNOWN && TEACHER_GRADIENT;
const STATE_WIDTH: u32 = LAST + u32(!SLOPES_KNOWN || SAVES_MEAN);

/// A number of P or Q has no meaning; a class with p < 0 is without q.
const BAD: u32 = 1u;
const MISSES_NEGATIVE: u32 = 2u;
/// In PyTorch a term is 0 times infinity.
const UNDEFINED: u32 = 4u;

// naga 30 wants these before an array whose size is an override: a teacher that reduces has one.
struct Sums {
    student: Softmax,
    teacher: Softmax,
    /// Sums of q and p where they are given; those of a softmax are 1 + D.
    given_q: f32,
    given_p: f32,
    /// The loss about the current maxima, and the weight under which it is infinite: mean.wgsl's.
    mean: f32,
    missed: f32,
    flags: u32,
    seen: Seen,
}

const EMPTY: Sums = Sums(NO_STUDENT, NO_TEACHER, 0f, 0f, 0f, 0f, 0u, NOTHING_SEEN);

/// One class as loaded: bits of Q's and P's numbers, and the class factor on p.
struct Element {
    x: u32,
    y: u32,
    weight: f32,
    j: u32,
}

fn push(s: Sums, e: Element) -> Sums {
    let q = student_step(s.student, e.x);
    let p = teacher_step(s.teacher, e);
    let seen = see(s.seen, s.student, q, e.x, e.j);
    var sums = Sums(q.softmax, p.softmax, s.given_q, s.given_p, 0f, 0f, s.flags, seen);
    if (!STUDENT_LOGITS) {
        sums.given_q += q.term;
    }
    if (!TEACHER_LOGITS) {
        sums.given_p += p.term;
    }
    sums.flags |= select(0u, BAD, is_bad(e.x) || is_bad_teacher(e.y));
    return push_mean(s, sums, p, q, e);
}

fn merge_Sums(a: Sums, b: Sums) -> Sums {
    let q = student_join(a.student, b.student);
    let p = teacher_join(a.teacher, b.teacher);
    let flags = a.flags | b.flags;
    let seen = merge_Seen(a.seen, b.seen, a.student, b.student, q);
    let sums = Sums(q.softmax, p.softmax, a.given_q + b.given_q, a.given_p + b.given_p, 0f, 0f, flags, seen);
    return join_mean(a, b, sums, p, q);
}

struct Row {
    student: Softmax,
    teacher: Softmax,
    /// log d and 1/d of each; 0 and 1 where the distribution is given.
    student_log_d: f32,
    teacher_log_d: f32,
    student_inv_d: f32,
    teacher_inv_d: f32,
    /// sum of p: 1 where it is a softmax.
    mass: f32,
    /// sum of the slopes.
    slopes: f32,
    /// The z-loss and its slope 2 z lse, both unscaled.
    z: f32,
    z_slope: f32,
    /// The loss of mean.wgsl, unscaled.
    mean: f32,
    /// The loss as bits, and whether it is infinite.
    value: u32,
    missed: bool,
    /// The loss alone has no value.
    undefined: bool,
    ignored: bool,
    poisoned: bool,
}

fn row_of(student: Softmax, teacher: Softmax, mass: f32, slopes: f32, poisoned: bool) -> Row {
    var z = 0f;
    var z_slope = 0f;
    if (ROW_EXTRAS) {
        let lse = log_sum_exp(student);
        z = params.z_loss * lse * lse;
        z_slope = 2f * params.z_loss * lse;
    }
    return Row(
        student, teacher, log_d(student), log_d(teacher), 1f / (1f + student.D), 1f / (1f + teacher.D), mass, slopes, z,
        z_slope, 0f, 0u, false, false, false, poisoned || student.D < 0f || teacher.D < 0f,
    );
}

/// Sums of loss terms and of slopes over classes.
struct Terms {
    loss: f32,
    slopes: f32,
}

/// One class of both distributions; the lowest numbers stand for the logarithm of 0.
struct Class {
    p: f32,
    q: f32,
    log_p: f32,
    log_q: f32,
}

fn class_of(row: Row, e: Element) -> Class {
    return Class(
        teacher_p(row.teacher, e, row.teacher_inv_d),
        student_q(row.student, e.x, row.student_inv_d),
        teacher_log_p(row.teacher, e) - row.teacher_log_d,
        student_log_q(row.student, e.x) - row.student_log_d,
    );
}

fn gradient(row: Row, e: Element, j: u32) -> f32 {
    let c = class_of(row, e);
    return dx(row, e.x, c, slope(c));
}

fn dx(row: Row, x: u32, c: Class, slope: f32) -> f32 {
    if (!STUDENT_LOGITS) {
        return slope;
    }
    let du = slope - c.q * (row.slopes - row.z_slope);
    if (SOFTCAP) {
        return scaled(du * cap_slope(x));
    }
    return scaled(du);
}

/// b - a + a log(a/b) from u = log(b/a): never negative, exact where a and b are close; b where a = 0.
fn gap(a: f32, b: f32, u: f32) -> f32 {
    var near = 1f / 40320f;
    near = near * u + 1f / 5040f;
    near = near * u + 1f / 720f;
    near = near * u + 1f / 120f;
    near = near * u + 1f / 24f;
    near = near * u + 1f / 6f;
    near = near * u + 0.5f;
    let term = select((b - a) - a * u, a * (u * u * near), abs(u) < 0.5f);
    return select(term, b, a == 0f);
}

/// (m, D) of the student if it has logits, (m, D) of the teacher if it has, the sum of the slopes or the mean.
fn state_of(row: Row) -> State {
    var state: State;
    if (STUDENT_LOGITS) {
        state[0] = bitcast<u32>(row.student.m);
        state[1] = bitcast<u32>(row.student.D);
    }
    if (TEACHER_LOGITS) {
        state[STUDENT_STATE] = bitcast<u32>(row.teacher.m);
        state[STUDENT_STATE + 1u] = bitcast<u32>(row.teacher.D);
    }
    if (!SLOPES_KNOWN) {
        state[LAST] = bitcast<u32>(row.slopes);
    }
    if (SAVES_MEAN) {
        state[LAST] = select(bitcast<u32>(row.mean), NAN, row.missed);
    }
    if (row.poisoned) {
        state[0] = NAN;
    }
    return state;
}

fn row_from(truth: Truth, state: State) -> Row {
    var student = NO_STUDENT;
    var teacher = NO_TEACHER;
    var slopes = -1f;
    if (STUDENT_LOGITS) {
        student = Softmax(bitcast<f32>(state[0]), bitcast<f32>(state[1]));
    }
    if (TEACHER_LOGITS) {
        teacher = Softmax(bitcast<f32>(state[STUDENT_STATE]), bitcast<f32>(state[STUDENT_STATE + 1u]));
    }
    if (!SLOPES_KNOWN) {
        slopes = bitcast<f32>(state[LAST]);
    }
    var row = row_of(student, teacher, 1f, slopes, is_nan(state[0]));
    if (SAVES_MEAN) {
        row.mean = bitcast<f32>(state[LAST]);
        row.missed = is_nan(state[LAST]);
    }
    return row;
}
