//! Every loss without options.

use surprisal::{
    BinaryCrossEntropy, CrossEntropy, Distillation, Divergence, Entropy, Form, HardPart, JensenShannon, Jsd, Kl,
    KlDivergence, Loss, NegativeLogLikelihood, Pass, Problem, Reduction, Rest, ReverseKl, ReverseKlDivergence, Shape,
    SigmoidFocal, SoftCrossEntropy, SoftPart, SoftmaxFocal, TotalVariation, Tv,
};

const FORMS: [Form; 3] = [Form::Probs, Form::LogProbs, Form::Logits];
const RESTS: [Rest; 3] = [Rest::Spread, Rest::Renormalised, Rest::Dropped];

/// By row, since a loss that has a value per element has it so.
fn is_accepted(loss: &Loss) -> bool {
    Problem::new(loss.clone().with_reduction(Reduction::None), Pass::Forward, Shape::new(2, 6)).is_ok()
}

/// Every divergence of a kind that is accepted: from each form, to each, with each kind of teacher.
fn divergences<K: Clone + Default>(option: impl Fn(Divergence<K>) -> Divergence<K>) -> Vec<Divergence<K>>
where
    Divergence<K>: Into<Loss>,
{
    let mut all = Vec::new();
    for target in FORMS {
        for dense in [Divergence::from_logits(target), Divergence::from_log_probs(target)] {
            all.push(option(dense.clone()));
            all.extend(RESTS.map(|rest| option(dense.clone().top_k(3, rest))));
        }
    }
    all.retain(|divergence| is_accepted(&divergence.clone().into()));
    all
}

/// Every divergence as the soft part of a sum, with each hard part; of those that differ in the rest of a teacher alone,
/// one each.
fn distillations() -> Vec<Loss> {
    let mut soft: Vec<SoftPart> = divergences::<Kl>(|kl| kl).into_iter().map(SoftPart::from).collect();
    soft.extend(divergences::<ReverseKl>(|kl| kl).into_iter().map(SoftPart::from));
    soft.extend(divergences::<Jsd>(|jsd| jsd.beta(0.125)).into_iter().map(SoftPart::from));
    soft.extend(divergences::<Tv>(|tv| tv).into_iter().map(SoftPart::from));
    let hard: [HardPart; 2] = [CrossEntropy::new().into(), SoftmaxFocal::new(2.0).into()];
    let mut losses: Vec<Loss> = Vec::new();
    for hard in hard {
        for (i, soft) in soft.iter().enumerate() {
            let loss = Loss::from(Distillation::new(hard.clone(), soft.clone()).weights(0.5 + i as f32 / 16.0, 0.75));
            let is_new = losses.iter().all(|other| other.family() != loss.family());
            if is_accepted(&loss) && is_new {
                losses.push(loss);
            }
        }
    }
    losses
}

/// Every loss without options: one for each program of its own, and where numbers change the way through it.
pub fn bare_losses() -> Vec<Loss> {
    let mut losses = vec![Loss::LogSoftmax, Loss::Softmax, CrossEntropy::new().into()];
    losses.push(NegativeLogLikelihood::new().into());
    losses.extend([0.5, 2.0, 3.7].map(|gamma| SoftmaxFocal::new(gamma).into()));
    losses.push(SoftCrossEntropy::new().into());
    losses.extend(divergences(|kl: KlDivergence| kl).into_iter().map(Loss::from));
    losses.extend(divergences(KlDivergence::per_element).into_iter().map(Loss::from));
    losses.extend(divergences(KlDivergence::teacher_gradient).into_iter().map(Loss::from));
    losses.extend(divergences(|kl: ReverseKlDivergence| kl).into_iter().map(Loss::from));
    losses.extend(divergences(|jsd: JensenShannon| jsd.beta(0.125)).into_iter().map(Loss::from));
    losses.extend(divergences(|tv: TotalVariation| tv).into_iter().map(Loss::from));
    losses.extend([Entropy::of_logits().into(), Entropy::of_probs().into()]);
    losses.extend([BinaryCrossEntropy::new().into(), BinaryCrossEntropy::of_probs().into()]);
    losses.extend([0.0, 0.5, 1.0, 2.0].map(|gamma| SigmoidFocal::new(gamma).into()));
    losses.extend(distillations());
    losses
}
