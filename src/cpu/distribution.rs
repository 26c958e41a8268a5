use super::functions::{exp, ln};
use super::lanes::{BLOCK_OF_F64 as BLOCK, Task, total, vectorised, whole_vectors};
use super::rows::{PerRow, Reader, RowOut, Rows, Scratch, Standing};
use super::side;
use super::softmax::{LogitMap, Softmax};
use crate::inputs::{Inputs, Targets};
use crate::loss::{AnyDistribution, Class, DistributionMaths, Family, Form, Gradients, Shares, Support, Terms};
use crate::validate::Problem;

/// Losses of one distribution against another, each with one number per class.
pub(super) struct Distribution<'a> {
    problem: &'a Problem,
    per_row: PerRow<'a>,
    loss: &'a dyn AnyDistribution,
    targets: Reader<'a>,
    student: Form,
    teacher: Form,
    terms: Terms,
    map: LogitMap,
    shares: Shares,
    factors: &'a [f32],
    /// z-loss, brought to the divisor of the rest.
    z: f64,
}

impl<'a> Distribution<'a> {
    /// None for what the reference's rows are left to: values per element, gradients of the teacher, teachers that name
    /// their classes, and PyTorch's corners.
    pub fn new(
        problem: &'a Problem,
        inputs: &Inputs<'a>,
        per_row: PerRow<'a>,
        loss: &'a dyn AnyDistribution,
    ) -> Option<Self> {
        let (family, spec) = (problem.spec().family(), problem.spec());
        let Family::Distribution { student, teacher, support: Support::Dense, terms, gradients: Gradients::Student } =
            family
        else {
            return None;
        };
        let Targets::Values(numbers) = inputs.targets else { return None };
        if terms == Terms::PerElement || problem.has_pytorch_corners() {
            return None;
        }
        let targets = Reader { numbers, stride: problem.shape.targets_stride };
        let (map, shares) = (LogitMap::of(problem), spec.shares(problem.shape.n_classes));
        Some(Self {
            problem,
            per_row,
            loss,
            targets,
            student,
            teacher,
            terms,
            map,
            shares,
            factors: spec.class_factors(),
            z: problem.z_loss(),
        })
    }

    /// A row's numbers, and their softmax if they are logits, which are capped then.
    #[inline(always)]
    fn softmax<'b>(
        &self,
        form: Form,
        z: &'b [f32],
        saved: Option<&[f32]>,
        capped: &'b mut Vec<f32>,
        e: &mut [f32],
    ) -> Option<(&'b [f32], Option<Softmax>)> {
        match form {
            Form::Logits => self.map.softmax(z, None, saved, capped, e).map(|(u, softmax)| (u, Some(softmax))),
            _ => Some((z, None)),
        }
    }

    /// Whether a teacher's numbers are such as it may have.
    #[inline(always)]
    fn is_defined(&self, y: &[f32]) -> bool {
        let floor = if self.loss.reads_log_p() { 0.0 } else { f32::MIN };
        match self.teacher {
            Form::Logits => true,
            Form::LogProbs => below_infinity(y),
            Form::Probs => y.iter().fold(true, |all, &y| all & (y >= floor) & (y < f32::INFINITY)),
        }
    }
}

impl Rows for Distribution<'_> {
    #[inline(always)]
    fn row(&self, n: usize, x: &[f32], _found: Option<Softmax>, scratch: &mut Scratch, out: RowOut<'_>) {
        let spec = self.problem.spec();
        let weight = match self.per_row.standing(n) {
            Standing::Kept { weight, .. } => weight,
            Standing::Silent | Standing::Ignored => return out.silence(&[]),
            Standing::Poisoned => return out.poison(&spec.rows().side),
        };
        let side = &spec.rows().side;
        let wants_entropy = !out.side.is_empty() && side.entropy;
        let Scratch { targets, slopes: slopes_room, probs, capped, capped_targets, exponentials, .. } = scratch;
        exponentials.resize(if wants_entropy { x.len() } else { 0 }, 0.0);
        let y = self.targets.row(&self.problem.shape, n, targets);
        let has_value = self.is_defined(y) && (self.student == Form::Logits || below_infinity(x));
        let ours = self.softmax(self.student, x, self.per_row.saved(n), capped, exponentials);
        let theirs = self.softmax(self.teacher, y, None, capped_targets, &mut []);
        let Some(((u, student), (v, teacher))) = ours.zip(theirs).filter(|_| has_value) else {
            return out.poison(side);
        };
        if let (Some(student), false) = (&student, out.side.is_empty()) {
            let entropy = if wants_entropy { student.entropy(u, exponentials) } else { 0.0 };
            side::write(side, x, student, entropy, None, out.side);
        }
        for room in [&mut *slopes_room, probs] {
            room.resize(out.dlogits.len(), 0.0);
        }
        let pair = Pair {
            x: u,
            y: v,
            student: Source::of(self.student, student),
            teacher: Source::of(self.teacher, teacher),
            shares: self.shares,
            factors: self.factors,
            needs_log_p: self.loss.reads_log_p(),
        };
        let sums = self.loss.run(&pair, slopes_room, probs);

        let lse = student.filter(|_| self.z != 0.0).map_or(0.0, |student| student.lse());
        let slopes = if self.terms.slopes_known(self.teacher) { -1.0 } else { sums.slopes };
        if let [value] = out.values {
            let mass = if self.teacher == Form::Logits { 1.0 } else { sums.mass };
            let surplus = if self.terms == Terms::MeanUnderTeacher { mass - 1.0 } else { 1.0 - mass };
            let loss = match sums.gaps {
                // Without cancellation.
                Some(gaps) if self.student == Form::Logits => gaps + surplus,
                _ => sums.terms,
            };
            *value = ((loss * spec.scale() + self.z * lse * lse) * weight) as f32;
        }
        let softmaxes = [student, teacher].into_iter().flatten().flat_map(|s| [s.m_logit, s.excess as f32]);
        let numbers = softmaxes.chain((!self.terms.slopes_known(self.teacher)).then_some(slopes as f32));
        out.state.iter_mut().zip(numbers).for_each(|(place, number)| *place = number);
        // An infinite slope is in the whole row.
        if slopes.is_infinite() {
            out.state.fill(f32::NAN);
            out.dlogits.fill(f32::NAN);
            side::poison(side, out.side);
            return;
        }
        if !out.dlogits.is_empty() {
            let upstream = self.per_row.upstream(n);
            let factor = spec.scale() * weight * upstream.factor().unwrap_or(1.0);
            let (factor, through) = match self.student {
                Form::Logits => (factor * f64::from(self.map.inv_t), 2.0 * self.z / spec.scale() * lse - slopes),
                // Free of the sum to 1, d(q h)/dlog q has q dh/dlog q = q as well.
                _ if self.terms == Terms::MeanUnderStudent => (factor, 1.0),
                _ => (factor, 0.0),
            };
            let terms = slopes_room.iter().zip(probs);
            out.dlogits.iter_mut().zip(terms).for_each(|(g, (slope, q))| *g = ((slope + *q * through) * factor) as f32);
            if self.student == Form::Logits {
                self.map.through(x, out.dlogits);
            }
            upstream.finish(out.dlogits);
        }
    }
}

/// Whether no number is NaN or +inf.
#[inline(always)]
fn below_infinity(z: &[f32]) -> bool {
    z.iter().fold(true, |all, &z| all & (z < f32::INFINITY))
}

/// P and Q of a row, and where they come from.
pub(crate) struct Pair<'a> {
    x: &'a [f32],
    y: &'a [f32],
    student: Source,
    teacher: Source,
    /// Label smoothing and class weights of a teacher's probabilities.
    shares: Shares,
    factors: &'a [f32],
    needs_log_p: bool,
}

/// How a number becomes a probability.
#[derive(Clone, Copy)]
enum Source {
    /// `log p = (x - m)/T - log sum`
    Logits {
        m: f64,
        inv_t: f64,
        log_sum: f64,
    },
    LogProbs,
    Probs,
}

impl Source {
    fn of(form: Form, softmax: Option<Softmax>) -> Source {
        match (form, softmax) {
            (_, Some(Softmax { m, inv_t, log_sum, .. })) => {
                Source::Logits { m: m.into(), inv_t: inv_t.into(), log_sum }
            }
            (Form::Probs, None) => Source::Probs,
            _ => Source::LogProbs,
        }
    }
}

/// What a row comes to.
#[derive(Default)]
pub(crate) struct Sums {
    terms: f64,
    slopes: f64,
    /// Of P
    mass: f64,
    /// Of a mean of log-ratios
    gaps: Option<f64>,
}

impl Pair<'_> {
    /// The sums over the classes; leaves slopes and q where there is room for them.
    pub fn run<M: DistributionMaths>(&self, loss: &M, slopes: &mut [f64], q: &mut [f64]) -> Sums {
        let mut sums = Sums::default();
        vectorised(PairOf { loss, pair: self, slopes, q, sums: &mut sums });
        sums
    }

    /// log P or log Q, and P or Q, of a block.
    #[inline(always)]
    fn read(&self, source: Source, z: &[f32], first: usize, log: &mut [f64; BLOCK], p: &mut [f64; BLOCK]) {
        match source {
            Source::Logits { m, inv_t, log_sum } => {
                log.iter_mut().zip(z).for_each(|(log, &z)| *log = (f64::from(z) - m) * inv_t - log_sum);
                p.iter_mut().zip(log).for_each(|(p, log)| *p = exp(*log));
            }
            Source::LogProbs => {
                log.iter_mut().zip(z).for_each(|(log, &z)| *log = z.into());
                p.iter_mut().zip(log).for_each(|(p, log)| *p = exp(*log));
            }
            Source::Probs => {
                let Shares { target, even } = self.shares;
                p.iter_mut().zip(z).for_each(|(p, &z)| *p = f64::from(z) * target + even);
                match self.factors {
                    [1.0] => {}
                    [all] => p.iter_mut().for_each(|p| *p *= f64::from(*all)),
                    each => p.iter_mut().zip(&each[first..]).for_each(|(p, &w)| *p *= f64::from(w)),
                }
                if self.needs_log_p {
                    log.iter_mut().zip(p).for_each(|(log, p)| *log = ln(*p));
                }
            }
        }
    }
}

struct PairOf<'a, M> {
    loss: &'a M,
    pair: &'a Pair<'a>,
    slopes: &'a mut [f64],
    q: &'a mut [f64],
    sums: &'a mut Sums,
}

impl<M: DistributionMaths> Task for PairOf<'_, M> {
    #[inline(always)]
    fn run(self) {
        let PairOf { loss, pair, slopes: slopes_out, q: q_out, sums } = self;
        let [mut p, mut q, mut log_p, mut log_q] = [[0.0; BLOCK]; 4];
        let [mut terms, mut slopes, mut gaps] = [[0.0; BLOCK]; 3];
        let mut has_gaps = false;
        for (b, (x, y)) in pair.x.chunks(BLOCK).zip(pair.y.chunks(BLOCK)).enumerate() {
            let (first, n) = (b * BLOCK, x.len());
            pair.read(pair.student, x, first, &mut log_q, &mut q);
            pair.read(pair.teacher, y, first, &mut log_p, &mut p);
            for i in 0..whole_vectors(n) {
                let class = Class { p: p[i], q: q[i], log_p: log_p[i], log_q: log_q[i] };
                terms[i] = loss.loss_term(&class);
                slopes[i] = loss.slope(&class);
                if let Some(gap) = loss.gap(&class) {
                    (gaps[i], has_gaps) = (gap, true);
                }
            }
            sums.terms += total(&terms[..n]);
            sums.slopes += total(&slopes[..n]);
            sums.mass += total(&p[..n]);
            if has_gaps {
                sums.gaps = Some(sums.gaps.unwrap_or(0.0) + total(&gaps[..n]));
            }
            if !slopes_out.is_empty() {
                slopes_out[first..][..n].copy_from_slice(&slopes[..n]);
                q_out[first..][..n].copy_from_slice(&q[..n]);
            }
        }
    }
}
