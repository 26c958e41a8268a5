use surprisal::{
    BinaryCrossEntropy, Broadcast, CrossEntropy, Entropy, Form, KlDivergence, Loss, PerClass, Reduction, Shape,
    SigmoidFocal, SoftCrossEntropy, SoftmaxFocal,
};

use super::case::{Case, case};
use super::random::Random;

const N_ROWS: usize = 5;
const N_CLASSES: usize = 6;
/// Zero and negative weights are allowed; with [`LABELS`] they sum to 3, or to 1 where row 1 is ignored.
const CLASS_WEIGHTS: [f32; N_CLASSES] = [0.5, 2.0, 0.0, 1.25, -0.75, 1.5];
const LABELS: [i32; N_ROWS] = [3, 1, 0, 4, 2];
const GAMMAS: [f32; 5] = [0.0, 0.5, 1.0, 2.0, 3.7];
const REDUCTIONS: [Reduction; 6] = [
    Reduction::None,
    Reduction::Sum,
    Reduction::Mean,
    Reduction::BatchMean,
    Reduction::SumDividedBy(3.5),
    Reduction::SumDividedByInput,
];

/// Every combination of options, with reduction `Mean`.
pub fn cross_entropies() -> Vec<Loss> {
    let mut losses = Vec::new();
    for ignore_index in [None, Some(-100), Some(1)] {
        for class_weights in [None, Some(CLASS_WEIGHTS.to_vec())] {
            for eps in [0.0, 0.125, 1.0] {
                let mut loss = CrossEntropy::new().label_smoothing(eps);
                (loss.ignore_index, loss.class_weights) = (ignore_index, class_weights.clone());
                losses.push(loss.into());
            }
        }
    }
    losses
}

pub fn soft_cross_entropies() -> Vec<Loss> {
    let mut losses = Vec::new();
    for class_weights in [None, Some(CLASS_WEIGHTS.to_vec())] {
        for eps in [0.0, 0.125, 1.0] {
            let mut loss = SoftCrossEntropy::new().label_smoothing(eps);
            loss.class_weights = class_weights.clone();
            losses.push(loss.into());
        }
    }
    losses
}

pub fn kl_divergences() -> Vec<Loss> {
    let mut losses = Vec::new();
    for target in [Form::Probs, Form::LogProbs, Form::Logits] {
        for loss in [KlDivergence::from_logits(target), KlDivergence::from_log_probs(target)] {
            for temperature in [0.75, 1.0, 3.0] {
                let loss = loss.clone().temperature(temperature);
                losses.extend([loss.clone().into(), loss.scaled_by_t_squared().into()]);
            }
        }
    }
    losses
}

pub fn softmax_focals() -> Vec<Loss> {
    let mut losses = Vec::new();
    for gamma in GAMMAS {
        for alpha in [None, Some(0.25.into()), Some(PerClass::Each(CLASS_WEIGHTS.to_vec()))] {
            for ignore_index in [None, Some(-100), Some(1)] {
                let mut loss = SoftmaxFocal::new(gamma);
                (loss.alpha, loss.ignore_index) = (alpha.clone(), ignore_index);
                losses.push(loss.into());
            }
        }
    }
    losses
}

pub fn binary_cross_entropies() -> Vec<Loss> {
    let losses = [
        BinaryCrossEntropy::new(),
        BinaryCrossEntropy::new().pos_weight(2.5),
        BinaryCrossEntropy::new().pos_weight(CLASS_WEIGHTS),
    ];
    losses.into_iter().map(Loss::from).collect()
}

pub fn sigmoid_focals() -> Vec<Loss> {
    let losses = GAMMAS.map(|gamma| [SigmoidFocal::new(gamma), SigmoidFocal::new(gamma).alpha(0.25)]);
    losses.into_iter().flatten().map(Loss::from).collect()
}

pub fn entropies() -> Vec<Loss> {
    vec![Entropy::of_logits().into(), Entropy::of_probs().into()]
}

pub fn softmaxes() -> Vec<Loss> {
    vec![Loss::LogSoftmax, Loss::Softmax]
}

pub fn all() -> Vec<Loss> {
    let lists = [
        softmaxes(),
        cross_entropies(),
        soft_cross_entropies(),
        kl_divergences(),
        softmax_focals(),
        binary_cross_entropies(),
        sigmoid_focals(),
        entropies(),
    ];
    lists.concat()
}

/// Losses whose gradient rows sum to zero, since a shift of a row's logits changes nothing.
pub fn of_softmax() -> Vec<Loss> {
    let from_log_probs = |loss: &Loss| matches!(loss, Loss::KlDivergence(kl) if kl.input != Form::Logits);
    let mut losses = [cross_entropies(), soft_cross_entropies(), kl_divergences(), softmax_focals()].concat();
    losses.retain(|loss| !from_log_probs(loss));
    losses.extend([Entropy::of_logits().into(), Loss::LogSoftmax]);
    losses
}

/// Each loss in each reduction it has, each elementwise loss with each kind of weights.
pub fn cases(losses: &[Loss]) -> Vec<Case> {
    losses.iter().flat_map(reduced).flat_map(|loss| weighted(&random_case(loss))).collect()
}

/// The same numbers in padded rows; the padding is NaN, so whoever reads it is found out.
pub fn padded(case: &Case) -> Case {
    let shape = case.shape.logits_stride(8).targets_stride(7).dlogits_stride(9);
    let rows = |values: &[f32], stride| pad(values, shape.n_classes, stride);
    Case {
        name: format!("padded {}", case.name),
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

fn reduced(loss: &Loss) -> Vec<Loss> {
    match loss {
        Loss::LogSoftmax | Loss::Softmax => vec![loss.clone()],
        Loss::KlDivergence(_) => REDUCTIONS.map(|reduction| with_reduction(loss, reduction)).to_vec(),
        _ => {
            let has = REDUCTIONS.into_iter().filter(|&reduction| reduction != Reduction::BatchMean);
            has.map(|reduction| with_reduction(loss, reduction)).collect()
        }
    }
}

pub fn with_reduction(loss: &Loss, reduction: Reduction) -> Loss {
    let mut loss = loss.clone();
    match &mut loss {
        Loss::CrossEntropy(spec) => spec.reduction = reduction,
        Loss::SoftCrossEntropy(spec) => spec.reduction = reduction,
        Loss::KlDivergence(spec) => spec.reduction = reduction,
        Loss::SoftmaxFocal(spec) => spec.reduction = reduction,
        Loss::BinaryCrossEntropy(spec) => spec.reduction = reduction,
        Loss::SigmoidFocal(spec) => spec.reduction = reduction,
        Loss::Entropy(spec) => spec.reduction = reduction,
        other => panic!("{other:?} has no reduction"),
    }
    loss
}

fn weighted(case: &Case) -> Vec<Case> {
    let mut cases = vec![case.clone()];
    if matches!(case.loss, Loss::BinaryCrossEntropy(_) | Loss::SigmoidFocal(_)) {
        let Shape { n_rows, n_classes, .. } = case.shape;
        for (broadcast, n) in
            [(Broadcast::PerRow, n_rows), (Broadcast::PerClass, n_classes), (Broadcast::PerElement, n_rows * n_classes)]
        {
            let mut weighted = case.clone().weights(&Random::new(3).grid(n, -1, 2), broadcast);
            weighted.name += &format!(", weights {broadcast:?}");
            cases.push(weighted);
        }
    }
    cases
}

/// A batch of random tensors for the loss, without upstream gradient where it may be left out.
fn random_case(loss: Loss) -> Case {
    let (random, n) = (&mut Random::new(1), N_ROWS * N_CLASSES);
    let logits = match &loss {
        Loss::Entropy(entropy) if entropy.input == Form::Probs => {
            random.grid(n, 0, 1).iter().map(|p| p + 0.125).collect()
        }
        Loss::KlDivergence(kl) if kl.input == Form::LogProbs => random.grid(n, -6, 0),
        _ => random.grid(n, -4, 4),
    };
    let mut case = case(&loss, N_CLASSES, &logits);
    case.name = format!("{loss:?}");
    (case.labels, case.values) = targets(&loss, random);
    if let Loss::LogSoftmax | Loss::Softmax = loss {
        case.dloss = Some(random.grid(n, -2, 2));
    }
    if case.name.contains("SumDividedByInput") {
        case.divisor = Some(2.75);
    }
    case
}

fn targets(loss: &Loss, random: &mut Random) -> (Option<Vec<i32>>, Option<Vec<f32>>) {
    let mut distributions = || random.distributions(N_ROWS, N_CLASSES);
    match loss {
        Loss::CrossEntropy(CrossEntropy { ignore_index, .. })
        | Loss::SoftmaxFocal(SoftmaxFocal { ignore_index, .. }) => {
            let mut labels = LABELS.to_vec();
            labels[1] = ignore_index.unwrap_or(labels[1]);
            (Some(labels), None)
        }
        Loss::SoftCrossEntropy(_) => (None, Some(distributions())),
        Loss::KlDivergence(kl) => (
            None,
            Some(match kl.target {
                Form::Probs => distributions(),
                Form::LogProbs => distributions().into_iter().map(f32::ln).collect(),
                Form::Logits => random.grid(N_ROWS * N_CLASSES, -4, 4),
            }),
        ),
        Loss::BinaryCrossEntropy(_) | Loss::SigmoidFocal(_) => {
            let labels = [0.0, 1.0, 0.25, 1.0, 0.0, 0.875, 0.5];
            (None, Some(labels.into_iter().cycle().take(N_ROWS * N_CLASSES).collect()))
        }
        _ => (None, None),
    }
}
