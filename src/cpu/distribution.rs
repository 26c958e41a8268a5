use super::pair::{Columns, Pair, Source, Sums, Teacher};
use super::rows::{PerRow, Reader, RowOut, Rows, Scratch, Standing};
use super::side;
use super::softmax::{LogitMap, Softmax};
use super::top_k::NamedClasses;
use crate::inputs::{Inputs, Numbers, Targets};
use crate::loss::{AnyDistribution, Family, Form, Shares, Terms};
use crate::number::Number;
use crate::validate::Problem;

/// Losses of one distribution against another.
pub(super) struct Distribution<'a> {
    problem: &'a Problem,
    per_row: PerRow<'a>,
    loss: &'a dyn AnyDistribution,
    targets: Reader<'a>,
    /// Of a teacher that names its classes, in the targets' place.
    named: Option<NamedClasses<'a>>,
    /// Upstream gradients, where they have a number per class.
    dloss: Option<Reader<'a>>,
    student: Form,
    teacher: Form,
    terms: Terms,
    map: LogitMap,
    shares: Shares,
    factors: &'a [f32],
    /// z-loss, brought to the divisor of the rest.
    z: f64,
    /// Whether a product of 0 and infinity is NaN, as in PyTorch.
    minds_products: bool,
}

impl<'a> Distribution<'a> {
    pub fn new(problem: &'a Problem, inputs: &Inputs<'a>, per_row: PerRow<'a>, loss: &'a dyn AnyDistribution) -> Self {
        let (shape, spec) = (&problem.shape, problem.spec());
        let Family::Distribution { student, teacher, terms, .. } = spec.family() else {
            unreachable!("a loss of distributions is of their family")
        };
        let named = spec.top_k().and_then(|top_k| NamedClasses::new(inputs, teacher, top_k));
        let numbers = match inputs.targets {
            Targets::Values(numbers) => numbers,
            _ => Numbers::F32(&[]),
        };
        let targets = Reader { numbers, stride: shape.targets_stride };
        let dloss = inputs.dloss.filter(|_| terms == Terms::PerElement);
        let dloss = dloss.map(|numbers| Reader { numbers, stride: shape.slab_len() });
        let (map, shares) = (LogitMap::of(problem), spec.shares(problem.shape.n_classes));
        Distribution {
            problem,
            per_row,
            loss,
            targets,
            named,
            dloss,
            student,
            teacher,
            terms,
            map,
            shares,
            factors: spec.class_factors(),
            z: problem.z_loss(),
            minds_products: problem.has_pytorch_corners()
                && spec.top_k().is_none()
                && matches!(terms, Terms::MeanUnderTeacher | Terms::PerElement),
        }
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

    /// A teacher's numbers of a row; of one that names its classes none, but P where it is named. None for a row without
    /// a value.
    #[inline(always)]
    fn teacher_row<'b>(
        &self,
        n: usize,
        n_classes: usize,
        room: &'b mut Vec<f32>,
        named: &mut Vec<f64>,
    ) -> Option<&'b [f32]>
    where
        'a: 'b,
    {
        let Some(teacher) = &self.named else { return Some(self.targets.row(&self.problem.shape, n, room)) };
        named.resize(n_classes, 0.0);
        teacher.probabilities(n, named)?;
        Some(&[])
    }

    /// Whether a teacher's numbers are such as it may have.
    #[inline(always)]
    fn is_defined(&self, y: &[f32]) -> bool {
        let floor = if self.loss.reads_log_p() { 0.0 } else { f32::MIN };
        match self.teacher {
            _ if self.named.is_some() => true,
            Form::Logits => true,
            Form::LogProbs => below_infinity(y),
            Form::Probs => y.iter().fold(true, |all, &y| all & (y >= floor) & (y < f32::INFINITY)),
        }
    }

    /// Whether PyTorch multiplies p = 0 and an infinite logarithm at a class.
    fn multiplies_infinity(&self, x: f32, y: f32, p: f64) -> bool {
        let masked = |z: f32| z == f32::NEG_INFINITY;
        match self.teacher {
            Form::LogProbs => masked(y),
            Form::Logits => masked(x) && masked(y),
            Form::Probs => masked(x) && p == 0.0,
        }
    }

    /// A row's loss.
    fn divergence(&self, sums: &Sums) -> f64 {
        let mass = if self.teacher == Form::Logits { 1.0 } else { sums.mass };
        let surplus = if self.terms == Terms::MeanUnderTeacher { mass - 1.0 } else { 1.0 - mass };
        match sums.gaps {
            // Without cancellation, but for the last digits of the sum of q: where P has nothing, they would be all.
            Some(gaps) if self.student == Form::Logits && mass != 0.0 => gaps + surplus,
            _ => sums.terms,
        }
    }

    /// The gradient of `sum_c p_c h_c`, `h = log p - log q`, with respect to what P comes from, capped if it is logits.
    #[inline(always)]
    fn teacher_gradient(&self, p: &[f64], h: &[f64], divergence: f64, factor: f64, dtargets: &mut [f32]) {
        let classes = dtargets.iter_mut().zip(p.iter().zip(h));
        match self.teacher {
            Form::Logits if divergence.is_infinite() => classes.for_each(|(g, _)| *g = f32::NAN),
            Form::Logits => {
                let factor = factor * f64::from(self.map.inv_t);
                classes.for_each(|(g, (p, h))| *g = (p.times(h - divergence) * factor) as f32);
            }
            Form::LogProbs => classes.for_each(|(g, (p, h))| *g = (p.times(h + 1.0) * factor) as f32),
            // No number: neither has the class.
            Form::Probs => {
                classes.for_each(|(g, (_, h))| *g = if h.is_nan() { 0.0 } else { ((h + 1.0) * factor) as f32 })
            }
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
        let Scratch { targets, columns, named, capped, capped_targets, exponentials, dloss, .. } = scratch;
        exponentials.resize(if wants_entropy { x.len() } else { 0 }, 0.0);
        let Some(y) = self.teacher_row(n, x.len(), targets, named) else { return out.poison(side) };
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
        let is_per_class = self.terms == Terms::PerElement;
        let wants_p = self.minds_products || !out.dtargets.is_empty();
        let n_values = if is_per_class { out.values.len() } else { 0 };
        let lens =
            [n_values, out.dlogits.len(), if wants_p { x.len() } else { 0 }, out.dlogits.len(), out.dtargets.len()];
        columns.iter_mut().zip(lens).for_each(|(column, len)| column.resize(len, 0.0));
        let [terms, slopes_column, p, q, log_ratios] = columns;
        let pair = Pair {
            x: u,
            y: if self.named.is_some() { Teacher::Named(named) } else { Teacher::Given(v) },
            student: Source::of(self.student, student),
            teacher: Source::of(self.teacher, teacher),
            shares: self.shares,
            factors: self.factors,
            needs_log_p: self.loss.reads_log_p(),
            dloss: self.dloss.map_or(&[], |reader| reader.row(&self.problem.shape, n, dloss)),
        };
        let sums = self.loss.run(&pair, Columns { terms, slopes: slopes_column, p, q, log_ratios });

        let lse = student.filter(|_| self.z != 0.0).map_or(0.0, |student| student.lse());
        let slopes = if self.terms.slopes_known(self.teacher) { -1.0 } else { sums.slopes };
        let is_undefined = |c: usize| self.minds_products && self.multiplies_infinity(x[c], y[c], p[c]);
        let divergence = if (0..x.len()).any(is_undefined) { f64::NAN } else { self.divergence(&sums) };
        match out.values {
            values if is_per_class => {
                let terms = terms.iter().map(|term| term * spec.scale() * weight).enumerate();
                let terms = terms.map(|(c, term)| if is_undefined(c) { f64::NAN } else { term });
                values.iter_mut().zip(terms).for_each(|(value, term)| *value = term as f32);
            }
            [value] => *value = ((divergence * spec.scale() + self.z * lse * lse) * weight) as f32,
            _ => {}
        }
        let softmaxes = [student, teacher].into_iter().flatten().flat_map(|s| [s.m_logit, s.excess as f32]);
        // Nothing has come from upstream yet.
        let saved_slopes = if is_per_class { 0.0 } else { slopes as f32 };
        let saved_divergence = if divergence.is_infinite() { f32::NAN } else { divergence as f32 };
        let saved = [(!self.terms.slopes_known(self.teacher)).then_some(saved_slopes), Some(saved_divergence)];
        let numbers = softmaxes.chain(saved.into_iter().flatten());
        out.state.iter_mut().zip(numbers).for_each(|(place, number)| *place = number);

        let upstream = self.per_row.upstream(n);
        let factor = spec.scale() * weight * upstream.factor().unwrap_or(1.0);
        if !out.dtargets.is_empty() {
            self.teacher_gradient(p, log_ratios, sums.terms, factor, out.dtargets);
            if self.teacher == Form::Logits {
                self.map.through(y, out.dtargets);
            }
            upstream.finish(out.dtargets);
        }
        // An infinite slope is in the whole row.
        if slopes.is_infinite() {
            out.state.fill(f32::NAN);
            out.dlogits.fill(f32::NAN);
            side::poison(side, out.side);
            return;
        }
        if !out.dlogits.is_empty() {
            let (factor, through) = match self.student {
                Form::Logits => (factor * f64::from(self.map.inv_t), 2.0 * self.z / spec.scale() * lse - slopes),
                // Free of the sum to 1, d(q h)/dlog q has q dh/dlog q = q as well.
                _ if self.terms == Terms::MeanUnderStudent => (factor, 1.0),
                _ => (factor, 0.0),
            };
            let terms = slopes_column.iter().zip(q);
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
