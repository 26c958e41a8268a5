use super::row_options::row_option_builders;
use super::{
    DistributionMaths, Divisor, Family, Form, Gradients, Maths, Reduction, Rest, RowOptions, RowWeights, Spec, Support,
    TargetKind, Terms, TopK, check_option,
};
use crate::number::Number;
use crate::{Error, Shape};

/// A divergence of our distribution Q from the targets' P: what [`crate::KlDivergence`],
/// [`crate::ReverseKlDivergence`], [`crate::JensenShannon`] and [`crate::TotalVariation`] share.
///
/// Q comes from logits or as log-probabilities; P as probabilities, log-probabilities or logits. Soft cap and
/// temperature T are for whichever of the two are logits, never for a distribution given as (log-)probabilities; z-loss
/// and side outputs are those of Q, from logits. The gradient is with respect to what Q comes from.
///
/// `BatchMean` (the default, the divergence as defined) divides by the number of rows, `Mean` by the number of elements,
/// as in PyTorch's `kl_div`, but the z-loss by the number of rows; row weights that mask or count leave of both what
/// [`RowWeights`] says. `None` gives one loss per row.
///
/// A row has no value, NaN, where a number of P or Q is NaN or +infinity, or a given probability negative.
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::{Engine, Form, Inputs, KlDivergence, Pass, Shape, Side};
///
/// // From one capped model to another, with how sure the student is.
/// let loss = KlDivergence::from_logits(Form::Logits).softcap(30.0).temperature(2.0).side(Side::new().entropy().mean());
/// let (student, teacher) = ([1e6, 1e6, -1e6], [30.0, 30.0, -1e6]);
/// let inputs = Inputs::new(&student).targets(&teacher);
/// let out = Engine::new()?.evaluate(loss, Pass::Forward, Shape::new(1, 3), inputs)?;
/// assert!(out.values[0].abs() < 1e-6); // both even between their first two classes
/// assert!((out.side.unwrap().entropy.unwrap()[0] - std::f32::consts::LN_2).abs() < 1e-5);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Divergence<K> {
    /// Which divergence, and its own options.
    pub kind: K,
    /// Q: `Logits` or `LogProbs`.
    pub input: Form,
    /// P.
    pub target: Form,
    /// Whether P is given for k classes of a row alone.
    pub top_k: Option<TopK>,
    /// Maps of the logits, weights of the rows, z-loss and what to return beside the loss.
    pub rows: RowOptions,
    /// Whether loss and gradient but for the z-loss are multiplied by T^2, as distillation does (Hinton et al. 2015).
    pub scaled_by_t_squared: bool,
    /// From row losses to the output.
    pub reduction: Reduction,
}

impl<K: Default> Divergence<K> {
    /// Q = softmax(logits / T), P in the given form; T = 1, reduction `BatchMean`.
    pub fn from_logits(target: Form) -> Self {
        Self::new(Form::Logits, target)
    }

    /// Q given as log-probabilities, P in the given form; reduction `BatchMean`.
    pub fn from_log_probs(target: Form) -> Self {
        Self::new(Form::LogProbs, target)
    }

    fn new(input: Form, target: Form) -> Self {
        let (kind, rows, reduction) = (K::default(), RowOptions::DEFAULT, Reduction::BatchMean);
        Divergence { kind, input, target, top_k: None, rows, scaled_by_t_squared: false, reduction }
    }
}

row_option_builders!(Divergence<K>);

impl<K> Divergence<K> {
    /// Multiplies loss and gradient by T^2, which keeps the gradient's size as T grows.
    pub fn scaled_by_t_squared(mut self) -> Self {
        self.scaled_by_t_squared = true;
        self
    }

    /// Takes P from k classes of a row, named by `targets` (in a [`crate::Distillation`] by `teacher_ids`), with
    /// `target_probs` in the target's form; see [`TopK`].
    pub fn top_k(mut self, k: usize, rest: Rest) -> Self {
        self.top_k = Some(TopK { k, rest });
        self
    }

    /// Sets the reduction.
    pub fn reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }
}

/// What one divergence says about itself, beside its functions.
pub(crate) trait Kind: DistributionMaths {
    fn name(&self) -> &'static str;
    fn terms(&self) -> Terms;
    fn check(&self) -> Result<(), Error> {
        Ok(())
    }
    /// Whether `Reduction::None` gives one value per element.
    fn per_element(&self) -> bool {
        false
    }
    /// Whether the targets have a gradient too.
    fn teacher_gradient(&self) -> bool {
        false
    }
    /// Whether P may be given, in this form, for k classes of a row alone, with this rest. One that is spread is a
    /// difference, and what it leaves of log-probabilities, each rounded, may be nothing but rounding: no logarithm is
    /// taken of that.
    fn takes_top_k(&self, target: Form, rest: Rest) -> bool {
        rest != Rest::Spread || target == Form::Probs
    }
    /// What it takes.
    fn top_k_expected(&self) -> &'static str {
        "probabilities where the rest is spread"
    }
    fn loss_args(&self) -> [f32; 4] {
        [0.0; 4]
    }
}

impl<K: Kind> Spec for Divergence<K> {
    fn name(&self) -> &'static str {
        self.kind.name()
    }
    fn family(&self) -> Family {
        let terms = match self.reduction {
            Reduction::None if self.kind.per_element() => Terms::PerElement,
            _ => self.kind.terms(),
        };
        let gradients = if self.kind.teacher_gradient() { Gradients::Both } else { Gradients::Student };
        let support = if self.top_k.is_some() { Support::TopK } else { Support::Dense };
        Family::Distribution { student: self.input, teacher: self.target, support, terms, gradients }
    }
    fn maths(&self) -> Maths<'_> {
        Maths::Distribution(&self.kind)
    }
    fn targets(&self) -> TargetKind {
        if self.top_k.is_some() { TargetKind::TopK } else { TargetKind::Values }
    }
    fn reduction(&self) -> Option<Reduction> {
        Some(self.reduction)
    }
    fn mean_divisor(&self, shape: &Shape) -> Divisor {
        RowWeights::mean_over_rows(self.rows.row_weights, shape, shape.n_elements())
    }
    fn row_size(&self, shape: &Shape) -> usize {
        shape.n_classes
    }
    fn check(&self, shape: &Shape) -> Result<(), Error> {
        let lacks = match self.input {
            _ if self.family().is_per_class() => Some("one value per row"),
            Form::Logits => None,
            _ => Some("logits of ours"),
        };
        self.rows.check_unlabelled(self.name(), lacks)?;
        let t = self.rows.temperature;
        if self.scaled_by_t_squared {
            check_option("temperature", t, "at most 1e19, so that T^2 is finite", t <= 1e19)?;
        }
        if let Some(top_k) = self.top_k {
            check_top_k(self, top_k, shape)?;
        }
        match self.input {
            Form::Probs => Err(Error::Form { loss: self.name(), expected: "logits or log-probabilities" }),
            _ if self.kind.teacher_gradient() && self.family().uses_whole_dloss() => {
                Err(Error::TeacherGradient { loss: self.name() })
            }
            _ if self.rows.row_weights.is_some() && self.family().is_per_class() => {
                Err(Error::NoRowWeights { loss: self.name() })
            }
            _ => self.kind.check(),
        }
    }
    fn has_batch_mean(&self) -> bool {
        true
    }
    fn per_element(&self) -> bool {
        self.kind.per_element()
    }
    fn rows(&self) -> &RowOptions {
        &self.rows
    }
    fn top_k(&self) -> Option<TopK> {
        self.top_k
    }
    fn scale(&self) -> f64 {
        if self.scaled_by_t_squared { f64::from(self.rows.temperature).powi(2) } else { 1.0 }
    }
    fn loss_args(&self) -> [f32; 4] {
        self.kind.loss_args()
    }
}

/// Refuses what is computed for teachers with a number per class alone.
fn check_top_k<K: Kind>(spec: &Divergence<K>, top_k: TopK, shape: &Shape) -> Result<(), Error> {
    let refused = |expected| Err(Error::TopKTeacher { loss: spec.name(), expected });
    match (spec.input, spec.target) {
        (_, Form::Logits) => refused("probabilities or log-probabilities of the teacher"),
        _ if !spec.kind.takes_top_k(spec.target, top_k.rest) => refused(spec.kind.top_k_expected()),
        (Form::LogProbs, _) => refused("logits of the student"),
        _ if spec.kind.teacher_gradient() => refused("the gradient of the logits alone"),
        _ if spec.family().is_per_class() => refused("one value per row"),
        _ => top_k.check(shape),
    }
}

/// `b - a + a log(a/b)` from `u = log(b/a)`: never negative, exact where a and b are close; b where a = 0.
#[inline(always)]
pub(super) fn gap<N: Number>(a: N, b: N, u: N) -> N {
    match a.value() {
        0.0 => b,
        _ if u.value().abs() < 0.25 => a * u.exp_m1_less_self(),
        _ => (b - a) - a * u,
    }
}
