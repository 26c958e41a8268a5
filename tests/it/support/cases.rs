use surprisal::{Broadcast, Family, Form, Loss, Reduction, TargetKind, TopK};

use super::case::{Case, case};
use super::losses::{N_CLASSES, representatives};
use super::random::Random;
use super::spec::{reduced, sized, teacher_form, with_reduction};

const N_ROWS: usize = 5;
const LABELS: [i32; N_ROWS] = [3, 1, 0, 4, 2];
/// Zero and negative weights are allowed.
const ROW_WEIGHTS: [f32; N_ROWS] = [1.5, 0.75, 0.0, -0.5, 2.0];

/// The size of a case, and how its logits spread.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    pub n_rows: usize,
    pub n_classes: usize,
    /// The standard deviation of the logits; multiples of 1/256 in -4..=4 if none.
    pub deviation: Option<f64>,
}

impl Batch {
    pub fn new(n_rows: usize, n_classes: usize) -> Self {
        Batch { n_rows, n_classes, deviation: None }
    }

    pub fn deviation(self, deviation: f64) -> Self {
        Batch { deviation: Some(deviation), ..self }
    }

    fn n_elements(self) -> usize {
        self.n_rows * self.n_classes
    }

    fn logits(self, random: &mut Random) -> Vec<f32> {
        match self.deviation {
            None => random.grid(self.n_elements(), -4, 4),
            Some(deviation) => random.normal(self.n_elements(), deviation),
        }
    }

    /// Away from 0 and 1, or of logits that spread.
    fn probs(self, random: &mut Random) -> Vec<f32> {
        match self.deviation {
            None => random.grid(self.n_elements(), 0, 1).iter().map(|p| 0.125 + 0.75 * p).collect(),
            Some(deviation) => {
                random.normal(self.n_elements(), deviation).iter().map(|x| 1.0 / (1.0 + x.exp())).collect()
            }
        }
    }

    fn log_probs(self, random: &mut Random) -> Vec<f32> {
        match self.deviation {
            None => random.grid(self.n_elements(), -6, 0),
            Some(deviation) => random.normal(self.n_elements(), deviation).into_iter().map(|x| -x.abs()).collect(),
        }
    }
}

/// Each loss in each reduction it has, each elementwise loss with each kind of weights, on five rows of six classes.
pub fn cases(losses: &[Loss]) -> Vec<Case> {
    cases_on(losses, Batch::new(N_ROWS, N_CLASSES))
}

pub fn cases_on(losses: &[Loss], batch: Batch) -> Vec<Case> {
    losses.iter().flat_map(reduced).flat_map(|loss| weighted(&random_case(loss, batch))).collect()
}

/// [`representatives`] on a batch of this size, every second one with one output per row (or weighted element), the
/// others with the mean over the batch; `kind` 0 or 1 says who begins.
pub fn representative_cases(batch: Batch, kind: usize) -> Vec<Case> {
    let case = |(i, loss): (usize, Loss)| representative_case(&loss, batch, (i + kind).is_multiple_of(2));
    representatives().into_iter().enumerate().map(case).collect()
}

/// The loss with one output per row (or weighted element) if `each`, or with the mean over the batch.
pub fn representative_case(loss: &Loss, batch: Batch, each: bool) -> Case {
    let reduction = if each { Reduction::None } else { Reduction::Mean };
    match loss {
        Loss::LogSoftmax | Loss::Softmax => random_case(loss.clone(), batch),
        Loss::BinaryCrossEntropy(_) | Loss::SigmoidFocal(_) if each => {
            weights(&random_case(with_reduction(loss, reduction), batch), Broadcast::PerRow)
        }
        _ => random_case(with_reduction(loss, reduction), batch),
    }
}

/// For what is a family's concern and not a loss's: of each batch, every third loss.
pub fn every_third(cases: Vec<Case>, turn: usize) -> Vec<Case> {
    cases.into_iter().skip(turn).step_by(3).collect()
}

/// The same numbers in padded rows; the padding is NaN, so whoever reads it is found out.
pub fn padded(case: &Case) -> Case {
    padded_by(case, [2, 1, 3])
}

/// As [`padded`], with so many elements between rows of logits (and of the targets' gradient), targets and gradient.
pub fn padded_by(case: &Case, padding: [usize; 3]) -> Case {
    let [logits, targets, dlogits] = padding.map(|padding| case.shape.n_classes + padding);
    let shape = case.shape.logits_stride(logits).targets_stride(targets).dlogits_stride(dlogits);
    let shape = shape.dtargets_stride(logits);
    let rows = |values: &[f32], stride| pad(values, shape.n_classes, stride);
    Case {
        name: format!("{} padded by {padding:?}", case.name),
        logits: rows(&case.logits, shape.logits_stride),
        values: case.values.as_ref().map(|values| rows(values, shape.targets_stride)),
        shape,
        ..case.clone()
    }
}

/// An upstream gradient of the output's shape that is not 1.
pub fn with_random_dloss(case: &Case) -> Case {
    let dloss = Random::new(2).grid(case.losses().len(), -2, 2);
    Case { name: format!("{} with dloss", case.name), ..case.clone().dloss(&dloss) }
}

fn pad(values: &[f32], n_classes: usize, stride: usize) -> Vec<f32> {
    let row = |row: &[f32]| row.iter().copied().chain(std::iter::repeat(f32::NAN)).take(stride).collect::<Vec<_>>();
    values.chunks(n_classes).flat_map(row).collect()
}

fn weighted(case: &Case) -> Vec<Case> {
    let mut cases = vec![case.clone()];
    if matches!(case.loss, Loss::BinaryCrossEntropy(_) | Loss::SigmoidFocal(_)) {
        let all = [Broadcast::PerRow, Broadcast::PerClass, Broadcast::PerElement];
        cases.extend(all.map(|broadcast| weights(case, broadcast)));
    }
    cases
}

/// With factors of its own for rows, classes or elements.
pub fn weights(case: &Case, broadcast: Broadcast) -> Case {
    let n = match broadcast {
        Broadcast::PerRow => case.shape.n_rows,
        Broadcast::PerClass => case.shape.n_classes,
        Broadcast::PerElement => case.shape.n_elements(),
    };
    let name = format!("{}, weights {broadcast:?}", case.name);
    Case { name, ..case.clone().weights(&Random::new(3).grid(n, -1, 2), broadcast) }
}

/// A batch of random tensors for the loss, without upstream gradient where it may be left out.
pub fn random_case(loss: Loss, batch: Batch) -> Case {
    let (random, name) = (&mut Random::new(1), format!("{loss:?} on {batch:?}"));
    let loss = sized(loss, batch.n_classes);
    let logits = match loss.input() {
        Form::Probs if loss.targets() == TargetKind::None => {
            random.grid(batch.n_elements(), 0, 1).iter().map(|p| p + 0.125).collect()
        }
        Form::Probs => batch.probs(random),
        Form::LogProbs => batch.log_probs(random),
        Form::Logits => batch.logits(random),
    };
    let mut case = case(&loss, batch.n_classes, &logits);
    case.name = name;
    (case.labels, case.values) = targets(&loss, batch, random);
    if let (Some(TopK { k, .. }), Some(teacher)) = (loss.top_k(), teacher_form(&loss)) {
        let (ids, probs) = named(teacher, batch, k, random);
        case = if case.labels.is_some() { case.taught(&ids, &probs) } else { case.named(&ids, &probs) };
    }
    if loss.family() == Family::Softmax {
        case.dloss = Some(random.grid(batch.n_elements(), -2, 2));
    }
    if loss.row_weights().is_some() {
        case.row_weights = Some(ROW_WEIGHTS.into_iter().cycle().take(batch.n_rows).collect());
    }
    if case.name.contains("SumDividedByInput") {
        case.divisor = Some(2.75);
    }
    case
}

/// [`LABELS`] spread over the classes, and moving on every five rows.
fn labels(batch: Batch) -> Vec<i32> {
    let label =
        |n: usize| (LABELS[n % N_ROWS] as usize * batch.n_classes / N_CLASSES + n / N_ROWS * 7) % batch.n_classes;
    (0..batch.n_rows).map(|n| label(n) as i32).collect()
}

/// A teacher of k classes a row, far apart in even rows and side by side in odd ones, with less than all of the mass;
/// every third row leaves a slot unused, whose number is none.
fn named(target: Form, batch: Batch, k: usize, random: &mut Random) -> (Vec<i32>, Vec<f32>) {
    let (first, mut ids) = (labels(batch), Vec::new());
    let mut probs: Vec<f32> =
        random.distributions(batch.n_rows, k + 1).chunks(k + 1).flat_map(|p| p[1..].to_vec()).collect();
    for n in 0..batch.n_rows {
        let apart = if n % 2 == 0 { batch.n_classes / k } else { 1 };
        ids.extend((0..k).map(|i| ((first[n] as usize + i * apart) % batch.n_classes) as i32));
        if n % 3 == 2 {
            (ids[n * k + k / 2], probs[n * k + k / 2]) = (-1, f32::NAN);
        }
    }
    if target == Form::LogProbs {
        probs.iter_mut().for_each(|p| *p = p.ln());
    }
    (ids, probs)
}

fn targets(loss: &Loss, batch: Batch, random: &mut Random) -> (Option<Vec<i32>>, Option<Vec<f32>>) {
    let mut distributions = |form| match form {
        Form::Probs => random.distributions(batch.n_rows, batch.n_classes),
        Form::LogProbs => random.distributions(batch.n_rows, batch.n_classes).into_iter().map(f32::ln).collect(),
        Form::Logits => batch.logits(random),
    };
    let teacher = teacher_form(loss).filter(|_| loss.top_k().is_none()).map(&mut distributions);
    match loss.targets() {
        TargetKind::ClassIndex => {
            let (mut labels, ignored) = (labels(batch), loss.ignore_index().first());
            labels.iter_mut().skip(1).step_by(N_ROWS).for_each(|label| *label = *ignored.unwrap_or(label));
            (Some(labels), teacher)
        }
        TargetKind::Values if teacher.is_some() => (None, teacher),
        TargetKind::Values => {
            let labels = [0.0, 1.0, 0.25, 1.0, 0.0, 0.875, 0.5];
            (None, Some(labels.into_iter().cycle().take(batch.n_elements()).collect()))
        }
        TargetKind::None | TargetKind::TopK => (None, None),
    }
}
