//! Lists of losses, each with its options.

use surprisal::{
    BinaryCrossEntropy, CrossEntropy, Distillation, Divergence, Entropy, Form, JensenShannon, Jsd, Kl, KlDivergence,
    Loss, NegativeLogLikelihood, PerClass, Rest, ReverseKl, ReverseKlDivergence, RowWeights, Side, SigmoidFocal,
    Smoothing, SoftCrossEntropy, SoftmaxFocal, TotalVariation, Tv,
};

use super::spec::hard_without_z;

/// Classes of the losses listed here; see [`super::spec::sized`].
pub const N_CLASSES: usize = 6;
/// Zero and negative weights are allowed; those of the first five labels sum to 3, or to 1 without row 1's.
pub const CLASS_WEIGHTS: [f32; N_CLASSES] = [0.5, 2.0, 0.0, 1.25, -0.75, 1.5];
const GAMMAS: [f32; 5] = [0.0, 0.5, 1.0, 2.0, 3.7];
const FORMS: [Form; 3] = [Form::Probs, Form::LogProbs, Form::Logits];

/// Every combination of options, with reduction `Mean`.
pub fn cross_entropies() -> Vec<Loss> {
    let mut losses = Vec::new();
    for ignore_index in [vec![], vec![-100], vec![1]] {
        for class_weights in [None, Some(CLASS_WEIGHTS.to_vec())] {
            for eps in [0.0, 0.125, 1.0] {
                let mut loss = CrossEntropy::new().label_smoothing(eps);
                (loss.ignore_index, loss.class_weights) = (ignore_index.clone(), class_weights.clone());
                losses.push(loss.into());
            }
        }
    }
    losses
}

/// Every combination of options.
pub fn negative_log_likelihoods() -> Vec<Loss> {
    let mut losses = Vec::new();
    for ignore_index in [vec![], vec![-100], vec![1, 4]] {
        for class_weights in [None, Some(CLASS_WEIGHTS.to_vec())] {
            for row_weights in [None, Some(RowWeights::Scale), Some(RowWeights::Mask), Some(RowWeights::Count)] {
                let mut loss = NegativeLogLikelihood::new();
                (loss.ignore_index, loss.class_weights) = (ignore_index.clone(), class_weights.clone());
                loss.row_weights = row_weights;
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
    let mut losses = divergences(|divergence: KlDivergence| divergence);
    losses.extend(kl_per_element());
    losses.extend(kl_with_teacher_gradient());
    losses.extend(of_top_k::<Kl>());
    losses
}

/// A teacher that names its classes: each rest, from either kind of numbers.
fn of_top_k<K: Default>() -> [Loss; 3]
where
    Divergence<K>: Into<Loss>,
{
    let from_logits = Divergence::<K>::from_logits;
    [
        from_logits(Form::Probs).temperature(3.0).scaled_by_t_squared().top_k(3, Rest::Spread).into(),
        from_logits(Form::LogProbs).top_k(3, Rest::Renormalised).row_weights(RowWeights::Mask).into(),
        from_logits(Form::Probs).top_k(3, Rest::Dropped).into(),
    ]
}

pub fn kl_with_teacher_gradient() -> Vec<Loss> {
    let of = |target| {
        let distilled = KlDivergence::from_logits(target).temperature(3.0).scaled_by_t_squared();
        [distilled, KlDivergence::from_log_probs(target).temperature(0.75)].map(|kl| kl.teacher_gradient().into())
    };
    FORMS.into_iter().flat_map(of).collect()
}

/// One value per element for reduction `None`.
fn kl_per_element() -> Vec<Loss> {
    let of = |target| {
        let distilled = KlDivergence::from_logits(target).temperature(3.0).scaled_by_t_squared();
        [distilled, KlDivergence::from_log_probs(target)].map(|kl| kl.per_element().into())
    };
    FORMS.into_iter().flat_map(of).collect()
}

pub fn reverse_kl_divergences() -> Vec<Loss> {
    let mut losses = divergences(|divergence: ReverseKlDivergence| divergence);
    losses.extend(of_top_k::<ReverseKl>().into_iter().take(1));
    losses
}

pub fn jensen_shannons() -> Vec<Loss> {
    let mut losses = divergences(|divergence: JensenShannon| divergence.beta(0.125));
    for target in FORMS {
        for loss in [JensenShannon::from_logits(target), JensenShannon::from_log_probs(target)] {
            losses.extend([0.0, 0.5, 1.0].map(|beta| loss.clone().beta(beta).into()));
        }
    }
    losses.extend(of_top_k::<Jsd>());
    losses
}

pub fn total_variations() -> Vec<Loss> {
    let mut losses = divergences(|divergence: TotalVariation| divergence);
    losses.extend(of_top_k::<Tv>());
    losses
}

/// Every combination of the options that divergences share.
fn divergences<K: Clone + Default>(option: impl Fn(Divergence<K>) -> Divergence<K>) -> Vec<Loss>
where
    Divergence<K>: Into<Loss>,
{
    let mut losses = Vec::new();
    for target in FORMS {
        for loss in [Divergence::from_logits(target), Divergence::from_log_probs(target)].map(&option) {
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
            for ignore_index in [vec![], vec![-100], vec![1]] {
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
        BinaryCrossEntropy::of_probs(),
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

/// Every divergence, every form of the teacher, every option of the cross-entropy that changes the sum.
pub fn distillations() -> Vec<Loss> {
    let ce = CrossEntropy::new;
    let hinton = KlDivergence::from_logits(Form::Logits).temperature(2.0).scaled_by_t_squared();
    let weighted = ce().class_weights(CLASS_WEIGHTS).label_smoothing(0.125).ignore_index(1);
    let to_probs = ReverseKlDivergence::from_logits(Form::Probs);
    vec![
        Distillation::new(ce().temperature(0.75), hinton).weights(0.25, 0.75).into(),
        Distillation::new(weighted.z_loss(0.25), KlDivergence::from_logits(Form::Probs)).weights(-0.5, 2.0).into(),
        Distillation::new(ce().class_weights(CLASS_WEIGHTS), to_probs).into(),
        Distillation::new(ce().ignore_index(1), JensenShannon::from_logits(Form::Logits).beta(0.125)).into(),
        Distillation::new(ce(), TotalVariation::from_logits(Form::LogProbs).temperature(3.0)).weights(0.0, 1.5).into(),
    ]
    .into_iter()
    .chain(top_k_distillations())
    .chain(focal_distillations())
    .chain([capped_distillation()])
    .chain(weighed_distillations())
    .collect()
}

/// Both parts with the cap that they have in common.
fn capped_distillation() -> Loss {
    let soft = KlDivergence::from_logits(Form::Logits).softcap(2.5).temperature(2.0).scaled_by_t_squared();
    Distillation::new(CrossEntropy::new().softcap(2.5).temperature(0.75).z_loss(0.25), soft).weights(0.25, 0.75).into()
}

/// Row weights and side outputs, which both parts of a sum have in common.
fn weighed_distillations() -> [Loss; 5] {
    let ce = CrossEntropy::new;
    let everything = Side::new().lse().entropy().log_prob().prob().argmax().top_1().top_k(3);
    let weighted = ce().class_weights(CLASS_WEIGHTS).label_smoothing(0.125).ignore_index(1);
    let hinton = KlDivergence::from_logits(Form::Logits).temperature(2.0).scaled_by_t_squared();
    let masked = ce().ignore_index(1).temperature(0.75).z_loss(0.25).row_weights(RowWeights::Mask).side(everything);
    let spread = KlDivergence::from_logits(Form::LogProbs).top_k(3, Rest::Spread);
    let renormalised = TotalVariation::from_logits(Form::Probs).top_k(3, Rest::Renormalised);
    let means = Side::new().lse().entropy().log_prob().prob().top_1().top_k(2).mean();
    let focal = SoftmaxFocal::new(2.0).side(means);
    [
        Distillation::new(masked, hinton).weights(0.25, 0.75).into(),
        Distillation::new(weighted.row_weights(RowWeights::Count), spread).weights(-0.5, 2.0).into(),
        Distillation::new(focal, JensenShannon::from_logits(Form::Probs)).into(),
        Distillation::new(ce().row_weights(RowWeights::Scale), ReverseKlDivergence::from_logits(Form::Probs)).into(),
        Distillation::new(ce().ignore_index(-100).side(everything), renormalised).weights(0.5, 1.5).into(),
    ]
}

/// A focal loss beside a teacher of either kind.
fn focal_distillations() -> [Loss; 2] {
    let weighted = SoftmaxFocal::new(2.0).alpha(CLASS_WEIGHTS).ignore_index(1).poly1(0.5).z_loss(0.25);
    let hinton = KlDivergence::from_logits(Form::LogProbs).temperature(3.0).scaled_by_t_squared();
    let jensen_shannon = JensenShannon::from_logits(Form::Probs).top_k(3, Rest::Spread);
    [
        Distillation::new(weighted, hinton).weights(0.5, -0.75).into(),
        Distillation::new(SoftmaxFocal::new(0.5).temperature(0.75), jensen_shannon).into(),
    ]
}

/// Every divergence from a teacher that names its classes, each rest, either kind of numbers.
pub fn top_k_distillations() -> [Loss; 5] {
    let ce = CrossEntropy::new;
    let weighted = ce().class_weights(CLASS_WEIGHTS).label_smoothing(0.125).ignore_index(1).z_loss(0.25);
    let hinton = KlDivergence::from_logits(Form::Probs).temperature(2.0).scaled_by_t_squared();
    let log_probs = KlDivergence::from_logits(Form::LogProbs);
    let jensen_shannon = JensenShannon::from_logits(Form::LogProbs).beta(0.125);
    let variation = TotalVariation::from_logits(Form::Probs).temperature(3.0);
    let reverse = ReverseKlDivergence::from_logits(Form::Probs);
    [
        Distillation::new(weighted, hinton.top_k(3, Rest::Spread)).weights(-0.5, 2.0).into(),
        Distillation::new(ce().class_weights(CLASS_WEIGHTS), reverse.top_k(3, Rest::Spread)).into(),
        Distillation::new(ce().ignore_index(1), jensen_shannon.top_k(3, Rest::Dropped)).into(),
        Distillation::new(ce().temperature(0.75), log_probs.top_k(3, Rest::Renormalised)).weights(0.25, 0.75).into(),
        Distillation::new(ce().ignore_index(-100), variation.top_k(3, Rest::Renormalised)).weights(0.0, 1.5).into(),
    ]
}

pub fn softmaxes() -> Vec<Loss> {
    vec![Loss::LogSoftmax, Loss::Softmax]
}

/// Options of a row: each alone, then together.
pub fn with_row_options() -> Vec<Loss> {
    let ce = CrossEntropy::new;
    let weighted = || ce().class_weights(CLASS_WEIGHTS).label_smoothing(0.125);
    let everything = Side::new().lse().entropy().log_prob().prob().argmax().top_1().top_k(3);
    let means = Side::new().lse().entropy().log_prob().prob().top_1().top_k(2).mean();
    let mut losses: Vec<Loss> = vec![
        ce().ignore_index(-100).ignore_index(1).ignore_index(4).into(),
        weighted().smoothing(Smoothing::OtherClasses).into(),
        ce().temperature(0.75).into(),
        weighted().temperature(3.0).into(),
        ce().softcap(2.5).into(),
        weighted().softcap(2.5).temperature(0.5).into(),
        ce().z_loss(0.25).into(),
        ce().poly1(-0.75).into(),
        weighted().z_loss(0.25).poly1(2.0).ignore_index(1).into(),
        ce().side(Side::new().argmax().top_1()).into(),
        ce().side(everything).softcap(2.5).temperature(1.5).ignore_index(1).into(),
        weighted().side(means).ignore_index(-100).z_loss(0.125).into(),
        SoftmaxFocal::new(2.0).softcap(2.5).temperature(1.5).z_loss(0.25).poly1(0.5).side(everything).into(),
        SoftmaxFocal::new(0.5).alpha(CLASS_WEIGHTS).row_weights(RowWeights::Count).side(means).into(),
    ];
    for row_weights in [RowWeights::Scale, RowWeights::Mask, RowWeights::Count] {
        losses.push(ce().row_weights(row_weights).into());
        losses.push(SoftCrossEntropy::new().class_weights(CLASS_WEIGHTS).row_weights(row_weights).into());
        losses.push(KlDivergence::from_logits(Form::Logits).temperature(3.0).row_weights(row_weights).into());
        losses.push(Entropy::of_logits().row_weights(row_weights).into());
        losses.push(weighted().row_weights(row_weights).z_loss(0.25).ignore_index(1).side(everything).into());
    }
    losses.push(KlDivergence::from_logits(Form::Probs).teacher_gradient().row_weights(RowWeights::Scale).into());
    losses.push(ReverseKlDivergence::from_log_probs(Form::Probs).row_weights(RowWeights::Mask).into());
    losses.push(JensenShannon::from_logits(Form::LogProbs).row_weights(RowWeights::Count).into());
    losses.push(TotalVariation::from_logits(Form::Logits).row_weights(RowWeights::Mask).into());
    losses.extend(distributions_with_row_options());
    losses
}

/// Side outputs that ask for no label.
pub fn unlabelled() -> Side {
    Side::new().lse().entropy().argmax()
}

/// The same for losses against a distribution: each family of teachers, and where a soft cap is in a gradient.
fn distributions_with_row_options() -> Vec<Loss> {
    let soft = || SoftCrossEntropy::new().class_weights(CLASS_WEIGHTS).label_smoothing(0.125);
    let hinton = KlDivergence::from_logits(Form::Logits).temperature(3.0).scaled_by_t_squared();
    let capped = || KlDivergence::from_logits(Form::Logits).softcap(2.5);
    let means = Side::new().lse().entropy().mean();
    vec![
        SoftCrossEntropy::new().softcap(2.5).temperature(0.75).into(),
        SoftCrossEntropy::new().z_loss(0.25).side(means).row_weights(RowWeights::Mask).into(),
        soft().z_loss(0.25).side(unlabelled()).into(),
        soft().softcap(2.5).z_loss(-0.25).side(unlabelled()).row_weights(RowWeights::Count).into(),
        capped().into(),
        hinton.clone().z_loss(0.25).side(unlabelled()).into(),
        hinton.softcap(2.5).z_loss(0.25).teacher_gradient().side(unlabelled()).into(),
        capped().per_element().into(),
        KlDivergence::from_log_probs(Form::Logits).softcap(2.5).teacher_gradient().into(),
        KlDivergence::from_logits(Form::Probs).z_loss(0.25).side(means).row_weights(RowWeights::Count).into(),
        ReverseKlDivergence::from_logits(Form::Logits).softcap(2.5).z_loss(0.25).side(unlabelled()).into(),
        JensenShannon::from_logits(Form::LogProbs).softcap(2.5).side(means).row_weights(RowWeights::Mask).into(),
        TotalVariation::from_logits(Form::Probs).temperature(0.75).z_loss(0.25).side(unlabelled()).into(),
        KlDivergence::from_logits(Form::Probs)
            .softcap(2.5)
            .z_loss(0.25)
            .top_k(3, Rest::Spread)
            .side(unlabelled())
            .into(),
    ]
}

/// At least one loss for every fragment of a kernel, and one for every choice that a pipeline makes.
pub fn representatives() -> Vec<Loss> {
    let all_options = CrossEntropy::new().ignore_index(-100).class_weights(CLASS_WEIGHTS).label_smoothing(0.125);
    let mut losses = softmaxes();
    losses.extend([CrossEntropy::new().into(), CrossEntropy::new().ignore_index(1).into(), all_options.into()]);
    losses.push(NegativeLogLikelihood::new().into());
    let weighted = NegativeLogLikelihood::new().ignore_index(-100).class_weights(CLASS_WEIGHTS);
    losses.push(weighted.row_weights(RowWeights::Count).into());
    losses.push(SoftCrossEntropy::new().into());
    losses.push(SoftCrossEntropy::new().class_weights(CLASS_WEIGHTS).label_smoothing(0.125).into());
    losses.push(SoftCrossEntropy::new().row_weights(RowWeights::Mask).into());
    for target in FORMS {
        losses.push(KlDivergence::from_logits(target).temperature(3.0).scaled_by_t_squared().into());
        losses.push(KlDivergence::from_log_probs(target).into());
        losses.push(ReverseKlDivergence::from_logits(target).into());
    }
    losses.push(ReverseKlDivergence::from_log_probs(Form::Logits).temperature(3.0).scaled_by_t_squared().into());
    losses.push(JensenShannon::from_logits(Form::Logits).beta(0.125).temperature(0.75).into());
    losses.push(JensenShannon::from_log_probs(Form::Probs).into());
    losses.push(TotalVariation::from_logits(Form::Probs).temperature(3.0).into());
    losses.push(TotalVariation::from_log_probs(Form::LogProbs).into());
    losses.push(KlDivergence::from_logits(Form::Logits).temperature(3.0).teacher_gradient().into());
    losses.push(KlDivergence::from_logits(Form::Probs).teacher_gradient().into());
    losses.push(KlDivergence::from_log_probs(Form::LogProbs).teacher_gradient().into());
    losses.push(KlDivergence::from_logits(Form::Logits).temperature(3.0).per_element().into());
    losses.push(KlDivergence::from_log_probs(Form::Probs).per_element().into());
    losses.extend(of_top_k::<Kl>().into_iter().take(2));
    losses.extend(of_top_k::<Jsd>().into_iter().skip(2));
    losses.push(SoftmaxFocal::new(2.0).into());
    losses.push(SoftmaxFocal::new(0.5).alpha(CLASS_WEIGHTS).ignore_index(-100).into());
    let side = Side::new().lse().entropy().log_prob().prob().argmax().top_1().top_k(3);
    let mapped = CrossEntropy::new().softcap(3.5).temperature(1.5).z_loss(0.125).poly1(0.5);
    losses.push(mapped.clone().class_weights(CLASS_WEIGHTS).row_weights(RowWeights::Count).side(side).into());
    losses.push(SoftmaxFocal::new(2.0).z_loss(0.125).ignore_index(-100).side(side).into());
    losses.push(SoftCrossEntropy::new().softcap(3.5).z_loss(0.125).side(unlabelled()).into());
    let capped = KlDivergence::from_logits(Form::Logits).softcap(3.5).temperature(1.5).z_loss(0.125);
    losses.push(capped.teacher_gradient().side(unlabelled()).into());
    losses.push(JensenShannon::from_logits(Form::Probs).softcap(3.5).z_loss(0.125).side(unlabelled()).into());
    let named = ReverseKlDivergence::from_logits(Form::Probs).softcap(3.5).z_loss(0.125).top_k(3, Rest::Spread);
    losses.push(named.side(unlabelled()).row_weights(RowWeights::Mask).into());
    losses.extend([BinaryCrossEntropy::new().into(), BinaryCrossEntropy::new().pos_weight(CLASS_WEIGHTS).into()]);
    losses.push(BinaryCrossEntropy::of_probs().into());
    losses.extend([SigmoidFocal::new(2.0).alpha(0.25).into(), SigmoidFocal::new(0.5).into()]);
    losses.extend(entropies());
    losses.extend(distillations().into_iter().skip(1).step_by(2).take(4));
    losses.extend(focal_distillations().into_iter().take(1));
    losses.extend(weighed_distillations().into_iter().take(2));
    losses
}

pub fn all() -> Vec<Loss> {
    let lists = [
        softmaxes(),
        cross_entropies(),
        negative_log_likelihoods(),
        soft_cross_entropies(),
        kl_divergences(),
        reverse_kl_divergences(),
        jensen_shannons(),
        total_variations(),
        softmax_focals(),
        with_row_options(),
        binary_cross_entropies(),
        sigmoid_focals(),
        entropies(),
        distillations(),
    ];
    lists.concat()
}

/// Losses whose gradient rows sum to zero, since a shift of a row's logits changes nothing.
pub fn of_softmax() -> Vec<Loss> {
    let of_divergences = [kl_divergences(), reverse_kl_divergences(), jensen_shannons(), total_variations()].concat();
    let mut losses = [cross_entropies(), soft_cross_entropies(), of_divergences, softmax_focals()].concat();
    losses.retain(|loss| loss.input() == Form::Logits);
    losses.extend([Entropy::of_logits().into(), Loss::LogSoftmax]);
    let is_shift_invariant =
        |loss: &Loss| !matches!(loss, Loss::Distillation(spec) if spec.hard.loss() != hard_without_z(spec));
    losses.extend(distillations().into_iter().filter(is_shift_invariant));
    losses
}

/// One of each divergence, of distributions given so.
pub fn each_divergence(input: Form, target: Form) -> [Loss; 4] {
    let from_logits = [
        KlDivergence::from_logits(target).into(),
        ReverseKlDivergence::from_logits(target).into(),
        JensenShannon::from_logits(target).beta(0.25).into(),
        TotalVariation::from_logits(target).into(),
    ];
    let from_log_probs = [
        KlDivergence::from_log_probs(target).into(),
        ReverseKlDivergence::from_log_probs(target).into(),
        JensenShannon::from_log_probs(target).beta(0.25).into(),
        TotalVariation::from_log_probs(target).into(),
    ];
    if input == Form::Logits { from_logits } else { from_log_probs }
}
