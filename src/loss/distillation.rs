use super::{
    CrossEntropy, Divisor, Family, Form, JensenShannon, KlDivergence, Loss, Maths, Reduction, ReverseKlDivergence,
    RowOptions, Shares, SoftmaxFocal, Spec, TargetKind, TopK, TotalVariation, check_option,
};
use crate::{Error, Shape};

/// Knowledge distillation (Hinton et al. 2015): cross-entropy or focal loss against labels and a divergence from a
/// teacher's distribution, weighted and summed in one read of the logits.
///
/// A row's loss is `hard_weight (hard + z_loss) + soft_weight soft`, hard the loss against the label and soft the
/// divergence, each with its own temperature; z-loss, poly-1 and smoothing are the hard part's. A soft cap is set in both
/// alike, and caps the teacher's logits too. Row weights and side outputs are the hard part's and hold for the sum: a
/// weight is a factor on a row's loss, parts and gradient, and the outputs tell of the hard part's softmax. Labels are the inputs' `targets`, P is their `teacher` `[N, C]`, in the form
/// the divergence says, or the `target_probs` `[N, k]` at the classes that `teacher_ids` `[N, k]` name, where it has a
/// top-k teacher ([`crate::TopK`]). Reduction and `ignore_index` are the hard part's and hold for both: an ignored row is
/// exactly 0, and `Mean` divides each part by its own count of the rows kept, with class weights for a cross-entropy and
/// without for the divergence.
///
/// The three parts come back too, without the weights: as [`crate::Output::parts`], and in a device buffer beside the
/// sum.
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::{CrossEntropy, Distillation, Engine, Form, Inputs, KlDivergence, Pass, Shape};
///
/// let hard = CrossEntropy::new().ignore_index(-100).z_loss(1e-4);
/// let soft = KlDivergence::from_logits(Form::Logits).temperature(2.0).scaled_by_t_squared();
/// let loss = Distillation::new(hard, soft).weights(0.3, 0.7);
///
/// let (student, teacher) = ([2.0, 1.0, 0.1, 0.0, 0.0, 9.0], [1.0, 1.0, 0.5, 0.0, 0.0, 0.0]);
/// let inputs = Inputs::new(&student).targets(&[0, -100]).teacher(&teacher);
/// let out = Engine::cpu().evaluate(loss, Pass::ForwardBackward, Shape::new(2, 3), inputs)?;
///
/// let [hard, soft, z_loss] = out.parts.expect("a sum has parts")[0];
/// assert!((out.values[0] - (0.3 * (hard + z_loss) + 0.7 * soft)).abs() < 1e-6);
/// assert_eq!(out.dlogits.expect("asked for")[3..], [0.0; 3]);
/// # Ok(()) }
/// ```
///
/// A teacher stored as the two likeliest classes of each row, what is left spread over the others; of a row whose label
/// is ignored, neither ids nor probabilities are looked at. WebGPU promises a kernel eight buffers, and loss and
/// gradient from such a teacher would take nine: `ForwardBackward` is a forward and a backward pass, one after the
/// other. So it is with row weights or side outputs, which take a forward pass of nine buffers, of ten beside such a
/// teacher: they ask for a device whose `max_storage_buffers_per_shader_stage` is as many, and an error says so.
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::{CrossEntropy, Distillation, Engine, Form, Inputs, KlDivergence, Pass, Rest, Shape};
///
/// let hard = CrossEntropy::new().ignore_index(-100);
/// let soft = KlDivergence::from_logits(Form::Probs).top_k(2, Rest::Spread);
/// let loss = Distillation::new(hard, soft).weights(0.3, 0.7);
///
/// let (student, labels) = ([2.0, 1.0, 0.1, -1.0, 0.0, 9.0, 0.0, 0.0], [0, -100]);
/// let (ids, probs) = ([1, 0, 0, 0], [0.5, 0.25, 0.0, 0.0]);
/// let inputs = Inputs::new(&student).targets(&labels).teacher_ids(&ids).target_probs(&probs);
/// let out = Engine::new()?.evaluate(loss, Pass::ForwardBackward, Shape::new(2, 4), inputs)?;
///
/// let [hard, soft, _] = out.parts.expect("a sum has parts")[0];
/// assert!((hard - 0.449313).abs() < 1e-5 && (soft - 0.348805).abs() < 1e-5);
/// assert!((out.values[0] - (0.3 * hard + 0.7 * soft)).abs() < 1e-6);
/// assert_eq!(out.dlogits.expect("asked for")[4..], [0.0; 4]);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Distillation {
    /// Against the labels. Its reduction and ignored labels hold for the sum.
    pub hard: HardPart,
    /// Against the teacher.
    pub soft: SoftPart,
    /// Factor on the loss against the labels.
    pub hard_weight: f32,
    /// Factor on the divergence.
    pub soft_weight: f32,
}

/// The loss of [`Distillation`] against labels.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum HardPart {
    /// Cross-entropy.
    CrossEntropy(CrossEntropy),
    /// Focal loss through a softmax.
    SoftmaxFocal(SoftmaxFocal),
}

/// The divergence of [`Distillation`]: from logits, with a temperature of its own. Reduction and ignored rows are the
/// hard part's.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SoftPart {
    /// Kullback-Leibler divergence.
    Kl(KlDivergence),
    /// Kullback-Leibler divergence of the teacher from the student.
    ReverseKl(ReverseKlDivergence),
    /// Jensen-Shannon divergence.
    JensenShannon(JensenShannon),
    /// Total variation distance.
    TotalVariation(TotalVariation),
}

/// Lets [`Distillation::new`] take a loss where it wants a part.
macro_rules! into_part {
    ($part:ident: $($variant:ident($loss:ty)),*) => {$(
        impl From<$loss> for $part {
            fn from(loss: $loss) -> Self {
                $part::$variant(loss)
            }
        }
    )*};
}
into_part!(HardPart: CrossEntropy(CrossEntropy), SoftmaxFocal(SoftmaxFocal));
into_part!(
    SoftPart: Kl(KlDivergence),
    ReverseKl(ReverseKlDivergence),
    JensenShannon(JensenShannon),
    TotalVariation(TotalVariation)
);

impl HardPart {
    /// The part as a loss of its own.
    ///
    /// ```
    /// use surprisal::{CrossEntropy, HardPart};
    ///
    /// assert_eq!(HardPart::from(CrossEntropy::new()).loss(), CrossEntropy::new().into());
    /// ```
    pub fn loss(&self) -> Loss {
        match self {
            HardPart::CrossEntropy(loss) => loss.into(),
            HardPart::SoftmaxFocal(loss) => loss.into(),
        }
    }

    pub(crate) fn spec(&self) -> &dyn Spec {
        match self {
            HardPart::CrossEntropy(loss) => loss,
            HardPart::SoftmaxFocal(loss) => loss,
        }
    }

    /// The part without its z-loss, which is one of its own.
    pub(crate) fn without_z_loss(&self) -> Loss {
        match self.clone() {
            HardPart::CrossEntropy(loss) => loss.z_loss(0.0).into(),
            HardPart::SoftmaxFocal(loss) => loss.z_loss(0.0).into(),
        }
    }

    fn simplified(self) -> Self {
        match self {
            HardPart::SoftmaxFocal(focal) => match focal.as_cross_entropy() {
                Some(cross_entropy) => cross_entropy.into(),
                None => focal.into(),
            },
            other => other,
        }
    }
}

impl SoftPart {
    /// The divergence as a loss of its own.
    ///
    /// ```
    /// use surprisal::{Form, KlDivergence, SoftPart};
    ///
    /// let kl = KlDivergence::from_logits(Form::Logits);
    /// assert_eq!(SoftPart::from(kl.clone()).loss(), kl.into());
    /// ```
    pub fn loss(&self) -> Loss {
        match self {
            SoftPart::Kl(divergence) => divergence.into(),
            SoftPart::ReverseKl(divergence) => divergence.into(),
            SoftPart::JensenShannon(divergence) => divergence.into(),
            SoftPart::TotalVariation(divergence) => divergence.into(),
        }
    }

    pub(crate) fn spec(&self) -> &dyn Spec {
        match self {
            SoftPart::Kl(divergence) => divergence,
            SoftPart::ReverseKl(divergence) => divergence,
            SoftPart::JensenShannon(divergence) => divergence,
            SoftPart::TotalVariation(divergence) => divergence,
        }
    }
}

impl Distillation {
    /// The sum of both, each with weight 1.
    pub fn new(hard: impl Into<HardPart>, soft: impl Into<SoftPart>) -> Self {
        Distillation { hard: hard.into(), soft: soft.into(), hard_weight: 1.0, soft_weight: 1.0 }
    }

    /// Sets both weights.
    pub fn weights(mut self, hard: f32, soft: f32) -> Self {
        (self.hard_weight, self.soft_weight) = (hard, soft);
        self
    }

    /// Sets the reduction, which is the hard part's.
    pub fn reduction(self, reduction: Reduction) -> Self {
        let hard = match self.hard {
            HardPart::CrossEntropy(loss) => loss.reduction(reduction).into(),
            HardPart::SoftmaxFocal(loss) => loss.reduction(reduction).into(),
        };
        Distillation { hard, ..self }
    }

    pub(super) fn simplified(self) -> Self {
        Distillation { hard: self.hard.simplified(), ..self }
    }
}

impl Spec for Distillation {
    fn name(&self) -> &'static str {
        "distillation"
    }
    fn family(&self) -> Family {
        let (hard, soft) = (self.hard.spec().name(), self.soft.spec());
        match soft.family() {
            Family::Distribution { teacher, support, terms, .. } => {
                Family::Distillation { hard, soft: soft.name(), teacher, support, terms }
            }
            other => unreachable!("a divergence is no {other:?}"),
        }
    }
    fn maths(&self) -> Maths<'_> {
        Maths::Distillation
    }
    fn targets(&self) -> TargetKind {
        TargetKind::ClassIndex
    }
    fn reduction(&self) -> Option<Reduction> {
        self.hard.spec().reduction()
    }
    fn mean_divisor(&self, shape: &Shape) -> Divisor {
        self.hard.spec().mean_divisor(shape)
    }
    fn check(&self, shape: &Shape) -> Result<(), Error> {
        check_option("hard_weight", self.hard_weight, "finite", self.hard_weight.is_finite())?;
        check_option("soft_weight", self.soft_weight, "finite", self.soft_weight.is_finite())?;
        let (hard, soft) = (self.hard.spec(), self.soft.spec());
        hard.check(shape)?;
        soft.check(shape)?;
        let refused = |option| Err(Error::PartOption { option });
        match soft.family() {
            _ if hard.rows().softcap != soft.rows().softcap => {
                refused("softcap of one of the two: both map the same logits")
            }
            _ if soft.rows().z_loss != 0.0 => refused("z_loss of the divergence, which the loss against labels has"),
            _ if soft.rows().side.width() > 0 => refused("side outputs of the divergence"),
            _ if soft.row_weights().is_some() => refused("row_weights of the divergence"),
            _ if soft.reduction() != Some(Reduction::BatchMean) => refused("a reduction of the divergence"),
            Family::Distribution { student: Form::LogProbs, .. } => refused("log-probabilities of the student"),
            family if family.has_teacher_gradient() => refused("the teacher's gradient"),
            _ => Ok(()),
        }
    }
    fn ignore_index(&self) -> &[i32] {
        self.hard.spec().ignore_index()
    }
    fn rows(&self) -> &RowOptions {
        self.hard.spec().rows()
    }
    fn top_k(&self) -> Option<TopK> {
        self.soft.spec().top_k()
    }
    fn poly1(&self) -> f32 {
        self.hard.spec().poly1()
    }
    fn class_factors(&self) -> &[f32] {
        self.hard.spec().class_factors()
    }
    fn shares(&self, n_classes: usize) -> Shares {
        self.hard.spec().shares(n_classes)
    }
    fn loss_args(&self) -> [f32; 4] {
        self.hard.spec().loss_args()
    }
    fn distillation(&self) -> Option<&Distillation> {
        Some(self)
    }
}
