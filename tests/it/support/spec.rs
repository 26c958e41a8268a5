//! What a loss says of itself and how it is changed, whichever loss it is.

use surprisal::{Distillation, Divergence, Form, HardPart, Loss, PerClass, Reduction, RowWeights, SoftPart, TopK};

const REDUCTIONS: [Reduction; 6] = [
    Reduction::None,
    Reduction::Sum,
    Reduction::Mean,
    Reduction::BatchMean,
    Reduction::SumDividedBy(3.5),
    Reduction::SumDividedByInput,
];

/// What a weight per row does, where the inputs bring one.
pub fn row_weights(loss: &Loss) -> Option<RowWeights> {
    match loss {
        Loss::CrossEntropy(spec) => spec.rows.row_weights,
        Loss::NegativeLogLikelihood(spec) => spec.row_weights,
        Loss::SoftCrossEntropy(spec) => spec.rows.row_weights,
        Loss::KlDivergence(spec) => spec.rows.row_weights,
        Loss::ReverseKlDivergence(spec) => spec.rows.row_weights,
        Loss::JensenShannon(spec) => spec.rows.row_weights,
        Loss::TotalVariation(spec) => spec.rows.row_weights,
        Loss::SoftmaxFocal(spec) => spec.rows.row_weights,
        Loss::Entropy(spec) => spec.row_weights,
        Loss::Distillation(spec) => row_weights(&hard_part(spec)),
        _ => None,
    }
}

/// The labels of rows that do not count; none for a loss without labels.
pub fn ignored(loss: &Loss) -> Option<&[i32]> {
    match loss {
        Loss::CrossEntropy(spec) => Some(&spec.ignore_index),
        Loss::NegativeLogLikelihood(spec) => Some(&spec.ignore_index),
        Loss::SoftmaxFocal(spec) => Some(&spec.ignore_index),
        Loss::Distillation(spec) => match &spec.hard {
            HardPart::CrossEntropy(hard) => Some(&hard.ignore_index),
            HardPart::SoftmaxFocal(hard) => Some(&hard.ignore_index),
            other => panic!("{other:?} is new"),
        },
        _ => None,
    }
}

/// Whether the targets have a gradient too.
pub fn has_teacher_gradient(loss: &Loss) -> bool {
    matches!(loss, Loss::KlDivergence(kl) if kl.kind.teacher_gradient)
}

/// What the teacher of a distillation gives for every class.
pub fn teacher_form(loss: &Loss) -> Option<Form> {
    let Loss::Distillation(spec) = loss else { return None };
    forms(&soft_part(spec)).map(|(_, target)| target).filter(|_| top_k(loss).is_none())
}

/// The loss against labels of a distillation.
pub fn hard_part(spec: &Distillation) -> Loss {
    match spec.hard.clone() {
        HardPart::CrossEntropy(hard) => hard.into(),
        HardPart::SoftmaxFocal(hard) => hard.into(),
        other => panic!("{other:?} is new"),
    }
}

/// ... without the z-loss in it.
pub fn hard_without_z(spec: &Distillation) -> Loss {
    match spec.hard.clone() {
        HardPart::CrossEntropy(hard) => hard.z_loss(0.0).into(),
        HardPart::SoftmaxFocal(hard) => hard.z_loss(0.0).into(),
        other => panic!("{other:?} is new"),
    }
}

/// The divergence of a distillation.
pub fn soft_part(spec: &Distillation) -> Loss {
    match spec.soft.clone() {
        SoftPart::Kl(soft) => soft.into(),
        SoftPart::ReverseKl(soft) => soft.into(),
        SoftPart::JensenShannon(soft) => soft.into(),
        SoftPart::TotalVariation(soft) => soft.into(),
        other => panic!("{other:?} is new"),
    }
}

/// A teacher that names its classes, and what its numbers are.
pub fn top_k(loss: &Loss) -> Option<(TopK, Form)> {
    match loss {
        Loss::KlDivergence(soft) => Some((soft.top_k?, soft.target)),
        Loss::ReverseKlDivergence(soft) => Some((soft.top_k?, soft.target)),
        Loss::JensenShannon(soft) => Some((soft.top_k?, soft.target)),
        Loss::TotalVariation(soft) => Some((soft.top_k?, soft.target)),
        Loss::Distillation(spec) => top_k(&soft_part(spec)),
        _ => None,
    }
}

/// A divergence's own factor: T^2 where it is scaled by that.
pub fn factor(loss: &Loss) -> f64 {
    fn of<K>(spec: &Divergence<K>) -> f64 {
        if spec.scaled_by_t_squared { f64::from(spec.rows.temperature).powi(2) } else { 1.0 }
    }
    match loss {
        Loss::KlDivergence(spec) => of(spec),
        Loss::ReverseKlDivergence(spec) => of(spec),
        Loss::JensenShannon(spec) => of(spec),
        Loss::TotalVariation(spec) => of(spec),
        Loss::Distillation(spec) => factor(&soft_part(spec)),
        _ => 1.0,
    }
}

/// What Q and P of a divergence are given as.
pub fn forms(loss: &Loss) -> Option<(Form, Form)> {
    match loss {
        Loss::KlDivergence(spec) => Some((spec.input, spec.target)),
        Loss::ReverseKlDivergence(spec) => Some((spec.input, spec.target)),
        Loss::JensenShannon(spec) => Some((spec.input, spec.target)),
        Loss::TotalVariation(spec) => Some((spec.input, spec.target)),
        _ => None,
    }
}

pub fn reduction_of(loss: &Loss) -> Option<Reduction> {
    match loss {
        Loss::CrossEntropy(spec) => Some(spec.reduction),
        Loss::NegativeLogLikelihood(spec) => Some(spec.reduction),
        Loss::SoftCrossEntropy(spec) => Some(spec.reduction),
        Loss::KlDivergence(spec) => Some(spec.reduction),
        Loss::ReverseKlDivergence(spec) => Some(spec.reduction),
        Loss::JensenShannon(spec) => Some(spec.reduction),
        Loss::TotalVariation(spec) => Some(spec.reduction),
        Loss::SoftmaxFocal(spec) => Some(spec.reduction),
        Loss::BinaryCrossEntropy(spec) => Some(spec.reduction),
        Loss::SigmoidFocal(spec) => Some(spec.reduction),
        Loss::Entropy(spec) => Some(spec.reduction),
        Loss::Distillation(spec) => reduction_of(&hard_part(spec)),
        _ => None,
    }
}

/// A loss in each reduction it has.
pub fn reduced(loss: &Loss) -> Vec<Loss> {
    match loss {
        Loss::LogSoftmax | Loss::Softmax => vec![loss.clone()],
        _ if forms(loss).is_some() => REDUCTIONS.map(|reduction| with_reduction(loss, reduction)).to_vec(),
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
        Loss::NegativeLogLikelihood(spec) => spec.reduction = reduction,
        Loss::SoftCrossEntropy(spec) => spec.reduction = reduction,
        Loss::KlDivergence(spec) => spec.reduction = reduction,
        Loss::ReverseKlDivergence(spec) => spec.reduction = reduction,
        Loss::JensenShannon(spec) => spec.reduction = reduction,
        Loss::TotalVariation(spec) => spec.reduction = reduction,
        Loss::SoftmaxFocal(spec) => spec.reduction = reduction,
        Loss::BinaryCrossEntropy(spec) => spec.reduction = reduction,
        Loss::SigmoidFocal(spec) => spec.reduction = reduction,
        Loss::Entropy(spec) => spec.reduction = reduction,
        Loss::Distillation(spec) => match &mut spec.hard {
            HardPart::CrossEntropy(hard) => hard.reduction = reduction,
            HardPart::SoftmaxFocal(hard) => hard.reduction = reduction,
            other => panic!("{other:?} is new"),
        },
        other => panic!("{other:?} has no reduction"),
    }
    loss
}

/// Class vectors for another number of classes: their numbers over and over; and no more classes named than there are.
pub fn sized(loss: Loss, n_classes: usize) -> Loss {
    let cycle = |values: Vec<f32>| values.into_iter().cycle().take(n_classes).collect::<Vec<_>>();
    let per_class = |values| match values {
        PerClass::Each(values) => PerClass::Each(cycle(values)),
        all => all,
    };
    match loss {
        Loss::CrossEntropy(mut spec) => {
            spec.class_weights = spec.class_weights.map(cycle);
            spec.into()
        }
        Loss::NegativeLogLikelihood(mut spec) => {
            spec.class_weights = spec.class_weights.map(cycle);
            spec.into()
        }
        Loss::Distillation(mut spec) => {
            spec.hard = match sized(hard_part(&spec), n_classes) {
                Loss::CrossEntropy(hard) => hard.into(),
                Loss::SoftmaxFocal(hard) => hard.into(),
                other => panic!("{other:?} is new"),
            };
            spec.soft = match spec.soft {
                SoftPart::Kl(soft) => naming(soft, n_classes).into(),
                SoftPart::ReverseKl(soft) => naming(soft, n_classes).into(),
                SoftPart::JensenShannon(soft) => naming(soft, n_classes).into(),
                SoftPart::TotalVariation(soft) => naming(soft, n_classes).into(),
                other => panic!("{other:?} is new"),
            };
            spec.into()
        }
        Loss::SoftCrossEntropy(mut spec) => {
            spec.class_weights = spec.class_weights.map(cycle);
            spec.into()
        }
        Loss::SoftmaxFocal(mut spec) => {
            spec.alpha = spec.alpha.map(per_class);
            spec.into()
        }
        Loss::KlDivergence(spec) => naming(spec, n_classes).into(),
        Loss::ReverseKlDivergence(spec) => naming(spec, n_classes).into(),
        Loss::JensenShannon(spec) => naming(spec, n_classes).into(),
        Loss::TotalVariation(spec) => naming(spec, n_classes).into(),
        Loss::BinaryCrossEntropy(mut spec) => {
            spec.pos_weight = spec.pos_weight.map(per_class);
            spec.into()
        }
        other => other,
    }
}

/// With a teacher that names no more classes than there are.
fn naming<K>(mut spec: Divergence<K>, n_classes: usize) -> Divergence<K> {
    spec.top_k.iter_mut().for_each(|top_k| top_k.k = top_k.k.min(n_classes));
    spec
}
