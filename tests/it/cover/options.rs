//! Options set on whatever loss has them: each line says which builders there are.

use surprisal::{Loss, RowWeights, Side, Smoothing, TargetKind};

use super::axes::{Factors, Sides};
use crate::support::losses::CLASS_WEIGHTS;

/// A builder called on the losses that have it.
macro_rules! built {
    // Those that have the options of a row.
    ($loss:expr, ROW_OPTIONS, |$spec:ident| $set:expr) => {
        built!(
            $loss,
            [
                CrossEntropy,
                SoftmaxFocal,
                SoftCrossEntropy,
                KlDivergence,
                ReverseKlDivergence,
                JensenShannon,
                TotalVariation
            ],
            |$spec| $set
        )
    };
    ($loss:expr, [$($kind:ident),+], |$spec:ident| $set:expr) => {
        match $loss {
            $(Loss::$kind($spec) => Some(Loss::from($set)),)+
            _ => None,
        }
    };
}

/// Sets an option of the loss against labels where the loss is a sum, of the loss itself otherwise.
pub fn set(loss: Loss, option: impl Fn(Loss) -> Option<Loss>) -> Option<Loss> {
    let Loss::Distillation(mut sum) = loss else { return option(loss) };
    sum.hard = match option(sum.hard.loss())? {
        Loss::CrossEntropy(hard) => hard.into(),
        Loss::SoftmaxFocal(hard) => hard.into(),
        other => panic!("{other:?} is no hard part"),
    };
    Some(sum.into())
}

/// The same of the divergence of a sum.
pub fn set_soft(loss: Loss, option: impl Fn(Loss) -> Option<Loss>) -> Option<Loss> {
    let Loss::Distillation(mut sum) = loss else { return Some(loss) };
    sum.soft = match option(sum.soft.loss())? {
        Loss::KlDivergence(soft) => soft.into(),
        Loss::ReverseKlDivergence(soft) => soft.into(),
        Loss::JensenShannon(soft) => soft.into(),
        Loss::TotalVariation(soft) => soft.into(),
        other => panic!("{other:?} is no divergence"),
    };
    Some(sum.into())
}

pub fn with_temperature(loss: Loss, t: f32) -> Option<Loss> {
    built!(loss, ROW_OPTIONS, |spec| spec.temperature(t))
}

pub fn scaled(loss: Loss) -> Loss {
    let scaled = built!(loss.clone(), [KlDivergence, ReverseKlDivergence, JensenShannon, TotalVariation], |spec| spec
        .scaled_by_t_squared());
    scaled.unwrap_or(loss)
}

pub fn with_softcap(loss: Loss) -> Option<Loss> {
    built!(loss, ROW_OPTIONS, |spec| spec.softcap(2.5))
}

pub fn with_z_loss(loss: Loss) -> Option<Loss> {
    built!(loss, ROW_OPTIONS, |spec| spec.z_loss(0.25))
}

pub fn with_poly1(loss: Loss) -> Option<Loss> {
    built!(loss, [CrossEntropy, SoftmaxFocal], |spec| spec.poly1(0.5))
}

pub fn with_row_weights(loss: Loss, row_weights: RowWeights) -> Option<Loss> {
    built!(
        loss,
        [
            CrossEntropy,
            SoftmaxFocal,
            NegativeLogLikelihood,
            SoftCrossEntropy,
            KlDivergence,
            ReverseKlDivergence,
            JensenShannon,
            TotalVariation,
            Entropy
        ],
        |spec| spec.row_weights(row_weights)
    )
}

pub fn with_side(loss: Loss, sides: Sides, n_classes: usize) -> Option<Loss> {
    let mut side = Side::new().lse().entropy();
    if loss.targets() == TargetKind::ClassIndex {
        side = side.log_prob().prob().top_1().top_k(n_classes.min(3) as u32);
    }
    side = if sides == Sides::Mean { side.mean() } else { side.argmax() };
    built!(loss, ROW_OPTIONS, |spec| spec.side(side))
}

pub fn with_smoothing(loss: Loss, level: usize) -> Option<Loss> {
    match (level, loss) {
        (0, loss) => Some(loss),
        (1, loss) => built!(loss, [CrossEntropy, SoftCrossEntropy], |spec| spec.label_smoothing(0.125)),
        (2, Loss::CrossEntropy(spec)) => Some(spec.label_smoothing(0.125).smoothing(Smoothing::OtherClasses).into()),
        _ => None,
    }
}

pub fn with_factors(loss: Loss, factors: Factors) -> Option<Loss> {
    match (factors, loss) {
        (Factors::None, loss) => Some(loss),
        (Factors::One, Loss::SoftmaxFocal(spec)) => Some(spec.alpha(0.25).into()),
        (Factors::One, Loss::SigmoidFocal(spec)) => Some(spec.alpha(0.25).into()),
        (Factors::One, Loss::BinaryCrossEntropy(spec)) => Some(spec.pos_weight(2.5).into()),
        (Factors::Each, Loss::SoftmaxFocal(spec)) => Some(spec.alpha(CLASS_WEIGHTS).into()),
        (Factors::Each, Loss::BinaryCrossEntropy(spec)) => Some(spec.pos_weight(CLASS_WEIGHTS).into()),
        (Factors::Each, loss) => built!(loss, [CrossEntropy, NegativeLogLikelihood, SoftCrossEntropy], |spec| spec
            .class_weights(CLASS_WEIGHTS)),
        _ => None,
    }
}

/// Labels that do not count: none, one that is no class, a class, and several.
pub const IGNORED: [&[i32]; 4] = [&[], &[-100], &[1], &[-100, 1, 4]];

pub fn with_ignored(loss: Loss, labels: &[i32]) -> Option<Loss> {
    labels.iter().try_fold(loss, |loss, &label| {
        built!(loss, [CrossEntropy, SoftmaxFocal, NegativeLogLikelihood], |spec| spec.ignore_index(label))
    })
}

/// With a label that does not count, where that is an option.
pub fn ignoring(loss: Loss, label: i32) -> Option<Loss> {
    set(loss, |loss| with_ignored(loss, &[label]))
}
