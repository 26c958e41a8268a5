use super::functions::{exp, ln};
use super::lanes::{BLOCK_OF_F64 as BLOCK, Task, total, vectorised, whole_vectors};
use super::softmax::Softmax;
use crate::loss::{Class, DistributionMaths, Form, Shares};
use crate::number::Number;

/// P and Q of a row, and where they come from.
pub(crate) struct Pair<'a> {
    pub(super) x: &'a [f32],
    pub(super) y: Teacher<'a>,
    pub(super) student: Source,
    pub(super) teacher: Source,
    /// Label smoothing and class weights of a teacher's probabilities.
    pub(super) shares: Shares,
    pub(super) factors: &'a [f32],
    pub(super) needs_log_p: bool,
    /// An upstream gradient with a number per class, or nothing.
    pub(super) dloss: &'a [f32],
}

/// A teacher's numbers.
#[derive(Clone, Copy)]
pub(super) enum Teacher<'a> {
    /// In its form.
    Given(&'a [f32]),
    /// Its probabilities, found by name.
    Named(&'a [f64]),
}

/// How a number becomes a probability.
#[derive(Clone, Copy)]
pub(super) enum Source {
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
    pub fn of(form: Form, softmax: Option<Softmax>) -> Source {
        match (form, softmax) {
            (_, Some(Softmax { m, inv_t, log_sum, .. })) => {
                Source::Logits { m: m.into(), inv_t: inv_t.into(), log_sum }
            }
            (Form::Probs, None) => Source::Probs,
            _ => Source::LogProbs,
        }
    }
}

/// What is kept of each class, where there is room for it.
pub(crate) struct Columns<'a> {
    pub terms: &'a mut [f64],
    pub slopes: &'a mut [f64],
    pub p: &'a mut [f64],
    pub q: &'a mut [f64],
    /// `log p - log q`
    pub log_ratios: &'a mut [f64],
}

/// What a row comes to.
#[derive(Default)]
pub(crate) struct Sums {
    pub(super) terms: f64,
    pub(super) slopes: f64,
    /// Of P
    pub(super) mass: f64,
    /// Of a mean of log-ratios
    pub(super) gaps: Option<f64>,
}

impl Pair<'_> {
    /// The sums over the classes, and what is wanted of each.
    pub fn run<M: DistributionMaths>(&self, loss: &M, columns: Columns<'_>) -> Sums {
        let mut sums = Sums::default();
        vectorised(PairOf { loss, pair: self, columns, sums: &mut sums });
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
                self.take_logarithms(log, p);
            }
        }
    }

    /// The same of the teacher's block of `n` classes.
    #[inline(always)]
    fn read_teacher(&self, first: usize, n: usize, log_p: &mut [f64; BLOCK], p: &mut [f64; BLOCK]) {
        match self.y {
            Teacher::Given(y) => self.read(self.teacher, &y[first..][..n], first, log_p, p),
            Teacher::Named(named) => {
                p[..n].copy_from_slice(&named[first..][..n]);
                self.take_logarithms(log_p, p);
            }
        }
    }

    /// Where the loss has a use for them.
    #[inline(always)]
    fn take_logarithms(&self, log_p: &mut [f64; BLOCK], p: &[f64; BLOCK]) {
        if self.needs_log_p {
            log_p.iter_mut().zip(p).for_each(|(log_p, p)| *log_p = ln(*p));
        }
    }
}

struct PairOf<'a, M> {
    loss: &'a M,
    pair: &'a Pair<'a>,
    columns: Columns<'a>,
    sums: &'a mut Sums,
}

impl<M: DistributionMaths> Task for PairOf<'_, M> {
    #[inline(always)]
    fn run(self) {
        let PairOf { loss, pair, mut columns, sums } = self;
        let [mut p, mut q, mut log_p, mut log_q] = [[0.0; BLOCK]; 4];
        let [mut terms, mut slopes, mut gaps, mut log_ratios] = [[0.0; BLOCK]; 4];
        let mut has_gaps = false;
        for (b, x) in pair.x.chunks(BLOCK).enumerate() {
            let (first, n) = (b * BLOCK, x.len());
            pair.read(pair.student, x, first, &mut log_q, &mut q);
            pair.read_teacher(first, n, &mut log_p, &mut p);
            for i in 0..whole_vectors(n) {
                let class = Class { p: p[i], q: q[i], log_p: log_p[i], log_q: log_q[i] };
                terms[i] = loss.loss_term(&class);
                slopes[i] = loss.slope(&class);
                if let Some(gap) = loss.gap(&class) {
                    (gaps[i], has_gaps) = (gap, true);
                }
                if let Some(log_ratio) = loss.teacher_log_ratio(&class) {
                    log_ratios[i] = log_ratio;
                }
            }
            if !pair.dloss.is_empty() {
                let dloss = &pair.dloss[first..][..n];
                slopes.iter_mut().zip(dloss).for_each(|(slope, &g)| *slope = slope.times(g.into()));
            }
            sums.terms += total(&terms[..n]);
            sums.slopes += total(&slopes[..n]);
            sums.mass += total(&p[..n]);
            if has_gaps {
                sums.gaps = Some(sums.gaps.unwrap_or(0.0) + total(&gaps[..n]));
            }
            let Columns { terms: to_terms, slopes: to_slopes, p: to_p, q: to_q, log_ratios: to_log_ratios } =
                &mut columns;
            let blocks =
                [(to_terms, &terms), (to_slopes, &slopes), (to_p, &p), (to_q, &q), (to_log_ratios, &log_ratios)];
            for (column, block) in blocks.into_iter().filter(|(column, _)| !column.is_empty()) {
                column[first..][..n].copy_from_slice(&block[..n]);
            }
        }
    }
}
