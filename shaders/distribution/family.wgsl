//! Losses of a distribution Q (ours) against P (the target), from two sums over the classes in one pass:
//!
//!     plogp = sum_c p_c log p_c,    plogq = sum_c p_c log q_c,    mass = sum_c p_c
//!     dx_j  = (q_j mass - p_j)/T for logits,    -p_j for log-probabilities
//!
//! Terms with p = 0 are 0 whatever q. While the maxima are not final the sums run about the current ones and move along.

const STATE_WIDTH: u32 = STUDENT_STATE + TEACHER_STATE;
const LOSS_FROM_GRADIENT_PASS: bool = USES_PLOGP && STUDENT_LOGITS;

/// A number of P or Q has no meaning; a class without q has p > 0, or p < 0.
const BAD: u32 = 1u;
const MISSES_POSITIVE: u32 = 2u;
const MISSES_NEGATIVE: u32 = 4u;

/// One class: bits of Q's and P's numbers, and the class factor on p.
struct Element {
    x: u32,
    y: u32,
    weight: f32,
}

fn load4(place: Place, j: u32, left: u32) -> array<Element, 4> {
    let x = load_logits(place.logits + j, left, NEG_INF);
    let y = load_targets(place.targets + j, left, TEACHER_FILL);
    return array(
        Element(x.x, y.x, class_factor(j)),
        Element(x.y, y.y, select(0f, class_factor(j + 1u), left > 1u)),
        Element(x.z, y.z, select(0f, class_factor(j + 2u), left > 2u)),
        Element(x.w, y.w, select(0f, class_factor(j + 3u), left > 3u)),
    );
}

struct Sums {
    student: Softmax,
    teacher: Softmax,
    plogp: f32,
    plogq: f32,
    mass: f32,
    flags: u32,
}

const EMPTY: Sums = Sums(NO_STUDENT, NO_TEACHER, 0f, 0f, 0f, 0u);

/// A class as P sees it: its (unnormalised) p and log p, and the teacher's state with it.
struct Mass {
    step: Step,
    p: f32,
    log_p: f32,
}

/// sum of p log q about the student maximum m, from that about s's own; likewise for the teacher.
fn moved_plogq(s: Sums, m: f32) -> f32 {
    return s.plogq + times(s.mass, (s.student.m - m) * params.inv_temperature);
}

fn moved_plogp(s: Sums, m: f32) -> f32 {
    return s.plogp + times(s.mass, (s.teacher.m - m) * params.inv_temperature);
}

fn push(s: Sums, e: Element) -> Sums {
    let student = student_step(s.student, e.x);
    let mass = teacher_mass(s.teacher, e);
    let kept = mass.step.kept;
    var sums = Sums(student, mass.step.softmax, 0f, 0f, kept * s.mass + mass.p, s.flags);
    if (USES_PLOGP) {
        sums.plogp = times(kept, moved_plogp(s, sums.teacher.m)) + times(mass.p, mass.log_p);
    }
    let missed = e.x == NEG_INF;
    sums.plogq = times(kept, moved_plogq(s, student.m)) + select(times(mass.p, student_log_q(student, e.x)), 0f, missed);
    sums.flags |= select(0u, BAD, is_bad(e.x) || is_bad_teacher(e.y));
    sums.flags |= select(0u, MISSES_POSITIVE, missed && mass.p > 0f);
    sums.flags |= select(0u, MISSES_NEGATIVE, missed && mass.p < 0f);
    return sums;
}

fn merge_Sums(a: Sums, b: Sums) -> Sums {
    let student = student_join(a.student, b.student);
    let join = teacher_join(a.teacher, b.teacher);
    var sums = Sums(student, join.softmax, 0f, 0f, join.a * a.mass + join.b * b.mass, a.flags | b.flags);
    if (USES_PLOGP) {
        sums.plogp = times(join.a, moved_plogp(a, join.softmax.m)) + times(join.b, moved_plogp(b, join.softmax.m));
    }
    sums.plogq = times(join.a, moved_plogq(a, student.m)) + times(join.b, moved_plogq(b, student.m));
    return sums;
}

struct Row {
    student: Softmax,
    teacher: Softmax,
    /// log d of each, 0 where the distribution is given; 1/d.
    student_log_d: f32,
    teacher_log_d: f32,
    student_inv_d: f32,
    teacher_inv_d: f32,
    /// sum of P: 1 where it is a softmax.
    mass: f32,
    /// The loss as bits, and whether it is infinite.
    value: u32,
    missed: bool,
    ignored: bool,
    poisoned: bool,
}

fn row_of(student: Softmax, teacher: Softmax, mass: f32, poisoned: bool) -> Row {
    return Row(
        student, teacher, log_d(student), log_d(teacher), 1f / (1f + student.D), 1f / (1f + teacher.D), mass,
        0u, false, false, poisoned || student.D < 0f || teacher.D < 0f,
    );
}

fn finish(truth: Truth, sums: Sums) -> Row {
    let mass = select(sums.mass, 1f, TEACHER_LOGITS);
    var row = row_of(sums.student, sums.teacher, mass, (sums.flags & BAD) != 0u);
    let plogp = sums.plogp * row.teacher_inv_d - mass * row.teacher_log_d;
    let plogq = sums.plogq * row.teacher_inv_d - mass * row.student_log_d;
    row.value = value_bits(row, sums.flags, loss(plogp, plogq, mass));
    row.missed = (sums.flags & (MISSES_POSITIVE | MISSES_NEGATIVE)) != 0u;
    return row;
}

fn value_bits(row: Row, flags: u32, finite: f32) -> u32 {
    let infinite = select(0u, HAS_POS_INF, (flags & MISSES_POSITIVE) != 0u)
        | select(0u, HAS_NEG_INF, (flags & MISSES_NEGATIVE) != 0u);
    return select(bits_of(Total(finite * params.scale, infinite)), NAN, row.poisoned);
}

fn gradient(row: Row, e: Element, j: u32) -> f32 {
    let p = teacher_p(row.teacher, e, row.teacher_inv_d);
    if (STUDENT_LOGITS) {
        return (probability(row.student, e.x, row.student_inv_d) * row.mass - p) * params.inv_temperature;
    }
    return -p;
}

/// q - p + p log(p/q), never negative, exact where p and q are close; q where p = 0.
fn loss_term(row: Row, e: Element) -> f32 {
    let p = teacher_p(row.teacher, e, row.teacher_inv_d);
    let q = probability(row.student, e.x, row.student_inv_d);
    let u = (student_log_q(row.student, e.x) - row.student_log_d) - (teacher_log_p(row.teacher, e) - row.teacher_log_d);
    var near = 1f / 40320f;
    near = near * u + 1f / 5040f;
    near = near * u + 1f / 720f;
    near = near * u + 1f / 120f;
    near = near * u + 1f / 24f;
    near = near * u + 1f / 6f;
    near = near * u + 0.5f;
    let term = select((q - p) - p * u, p * (u * u * near), abs(u) < 0.5f);
    return select(term, q, p == 0f);
}

/// sum p log(p/q) = sum (q - p + p log(p/q)) + sum p - sum q, and sum q = 1.
fn value_of(row: Row, terms: f32) -> u32 {
    if (!LOSS_FROM_GRADIENT_PASS || row.missed || row.poisoned) {
        return row.value;
    }
    return bitcast<u32>(not_negative(terms + (row.mass - 1f), row.mass) * params.scale);
}

/// By Gibbs' inequality a divergence between equal masses is not negative; a mass within rounding of 1 counts as 1.
fn not_negative(divergence: f32, mass: f32) -> f32 {
    return select(divergence, max(divergence, 0f), mass > 1f - 0x1p-20f);
}

/// (m, D) of the student if it has logits; then (m, D) of the teacher if it has, else the mass.
fn state_of(row: Row) -> State {
    var state: State;
    if (STUDENT_LOGITS) {
        state[0] = bitcast<u32>(row.student.m);
        state[1] = bitcast<u32>(row.student.D);
    }
    if (TEACHER_LOGITS) {
        state[STUDENT_STATE] = bitcast<u32>(row.teacher.m);
        state[STUDENT_STATE + 1u] = bitcast<u32>(row.teacher.D);
    } else {
        state[STUDENT_STATE] = bitcast<u32>(row.mass);
    }
    if (row.poisoned) {
        state[0] = NAN;
    }
    return state;
}

fn row_from(truth: Truth, state: State) -> Row {
    var student = NO_STUDENT;
    var teacher = NO_TEACHER;
    var mass = 1f;
    if (STUDENT_LOGITS) {
        student = Softmax(bitcast<f32>(state[0]), bitcast<f32>(state[1]));
    }
    if (TEACHER_LOGITS) {
        teacher = Softmax(bitcast<f32>(state[STUDENT_STATE]), bitcast<f32>(state[STUDENT_STATE + 1u]));
    } else {
        mass = bitcast<f32>(state[STUDENT_STATE]);
    }
    return row_of(student, teacher, mass, is_nan(state[0]));
}
