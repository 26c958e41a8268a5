//! What a loss says of itself and how it is changed, whichever loss it is.

use surprisal::{
    Distillation, Divergence, Error, Family, Form, Gradients, HardPart, Loss, Pass, PerClass, Problem, Reduction,
    Shape, SoftPart, TargetKind,
};

/// Each there is; the first is what an operation without a reduction has.
pub const REDUCTIONS: [Reduction; 6] = [
    Reduction::None,
    Reduction::Sum,
    Reduction::Mean,
    Reduction::BatchMean,
    Reduction::SumDividedBy(3.5),
    Reduction::SumDividedByInput,
];

/// The labels of rows that do not count; none for a loss without labels.
pub fn ignored(loss: &Loss) -> Option<&[i32]> {
    (loss.targets() == TargetKind::ClassIndex).then(|| loss.ignore_index())
}

/// Whether the targets have a gradient too.
pub fn has_teacher_gradient(loss: &Loss) -> bool {
    matches!(loss.family(), Family::Distribution { gradients: Gradients::Both, .. })
}

/// What the distribution that a loss is held against is given as.
pub fn teacher_form(loss: &Loss) -> Option<Form> {
    match loss.family() {
        Family::Distribution { teacher, .. } | Family::Distillation { teacher, .. } => Some(teacher),
        _ => None,
    }
}

/// The loss against labels of a distillation, without its z-loss.
pub fn hard_without_z(spec: &Distillation) -> Loss {
    match spec.hard.clone() {
        HardPart::CrossEntropy(hard) => hard.z_loss(0.0).into(),
        HardPart::SoftmaxFocal(hard) => hard.z_loss(0.0).into(),
        other => panic!("{other:?} is new"),
    }
}

/// The largest factor on a part of a loss.
pub fn factor(loss: &Loss) -> f64 {
    match loss {
        Loss::Distillation(spec) => spec.soft.loss().scale(),
        _ => loss.scale(),
    }
}

/// A loss in each reduction it has.
pub fn reduced(loss: &Loss) -> Vec<Loss> {
    let shape = Shape::new(2, super::losses::N_CLASSES);
    match loss.reduction() {
        None => vec![loss.clone()],
        Some(_) => {
            let all = REDUCTIONS.map(|reduction| with_reduction(loss, reduction)).into_iter();
            all.filter(|loss| !matches!(Problem::new(loss, Pass::Forward, shape), Err(Error::Reduction { .. })))
                .collect()
        }
    }
}

/// With another reduction, which it has.
pub fn with_reduction(loss: &Loss, reduction: Reduction) -> Loss {
    assert!(loss.reduction().is_some(), "{loss:?} has no reduction");
    loss.clone().with_reduction(reduction)
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
            spec.hard = match sized(spec.hard.loss(), n_classes) {
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
