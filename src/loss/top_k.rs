use super::Form;
use crate::number::Number;
use crate::{Error, Shape};

/// A teacher given by k classes of each row, as distillation pipelines store it: `targets` are their ids `[N, k]`,
/// `target_probs` their probabilities or log-probabilities `[N, k]`, as the divergence's `target` says. Asked for by
/// [`crate::Divergence::top_k`]. In a [`crate::Distillation`], whose `targets` are labels, the ids are `teacher_ids`.
///
/// With `p_i` the given mass of class `id_i`, and s their sum, P is `p_i` at the classes named and what [`Rest`] says
/// at the others; the loss is the divergence from that P, its gradient the divergence's. The cross-entropy with such a
/// teacher is the KL divergence plus the teacher's entropy, which no logit changes: the gradient is the same. A reverse
/// KL divergence takes such a teacher with its rest spread alone, since it is infinite where P has nothing; it,
/// Jensen-Shannon and total variation want probabilities then: from those `1 - s` is as good as its digits, from
/// log-probabilities it may be nothing but rounding.
///
/// A temperature divides the student's logits alone: store probabilities of a teacher that was softened already.
///
/// Both tensors are contiguous, in the order of the rows (of planes too), k numbers side by side: ids of i32, u32 or
/// i64, `target_probs` as [`Shape::targets_storage`] says. Their order within a row changes nothing but rounding.
///
/// A negative id (of u32, one from 2^31 on) is a slot that is not used, as padding: its number is not looked at. A
/// class named with `p_i = 0` is named all the same; a mass above 0 counts as at least the smallest normal f32, one
/// given by its logarithm as at least e^-87. On the host an id of C or more and a class named twice are refused, unless
/// a label has the row ignored; on a device the former poisons its row (loss and gradient NaN), and the masses of the
/// latter add up. A used slot whose number is negative (as a probability), NaN or infinite poisons its row. In a row
/// that names no class, or none with mass, P is 0, and the KL divergence and its gradient with it, unless the rest is
/// spread: P is then even.
///
/// KL with one value per element or with a gradient of the teacher, and a student of log-probabilities, do not go with
/// such a teacher, nor does a divergence count the rows that ids poison (`Buffers::errors`). Where both 0 and infinity
/// meet, [`crate::Corners`] makes no difference.
///
/// `k` is at most 256, and at most C: kernels are made for dozens of classes among tens of thousands.
///
/// The conventions are those of [DistillKit](https://github.com/arcee-ai/DistillKit) (`lossfuncs/kl.py`: `ZERO` is
/// `Renormalised`, since it divides by the sum of what is there) and of
/// [axolotl](https://github.com/axolotl-ai-cloud/axolotl) (`topk_logprob`), which drops the rest, and of the student's
/// softmax keeps the k classes alone, as is not done here. DistillKit's `SYMMETRIC_UNIFORM` is not `Spread`: it spreads
/// the student's rest as well.
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::{Engine, Form, Inputs, KlDivergence, Pass, Rest, Shape};
///
/// let (logits, ids, probs) = ([2.0, 1.0, 0.1, -1.0], [1, 0], [0.5, 0.25]);
/// let inputs = Inputs::new(&logits).targets(&ids).target_probs(&probs);
/// let loss = KlDivergence::from_logits(Form::Probs).top_k(2, Rest::Spread);
/// let sparse = Engine::cpu().evaluate(loss, Pass::ForwardBackward, Shape::new(1, 4), inputs)?;
///
/// let inputs = Inputs::new(&logits).targets(&[0.25, 0.5, 0.125, 0.125]);
/// let loss = KlDivergence::from_logits(Form::Probs);
/// let dense = Engine::cpu().evaluate(loss, Pass::ForwardBackward, Shape::new(1, 4), inputs)?;
/// assert!((sparse.values[0] - dense.values[0]).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct TopK {
    /// Classes named in a row.
    pub k: usize,
    /// What the others have.
    pub rest: Rest,
}

/// What a top-k teacher makes of the mass that its k classes leave; s is the sum of theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rest {
    /// Nothing: the other classes have none, and P sums to s.
    Dropped = 0,
    /// The other classes have none, and each `p_i` is divided by s; where s is 0, P is 0.
    Renormalised = 1,
    /// Each of the `C - n` other classes has `(1 - s)/(C - n)`, n the slots in use; none where s is 1 or more, as it
    /// may be of a confident teacher stored in 16 bits: a reverse KL divergence is infinite then.
    Spread = 2,
}

impl TopK {
    /// Classes in a row at most: a kernel looks for a class that may be named among them all.
    const MAX: usize = 256;

    pub(super) fn check(self, shape: &Shape) -> Result<(), Error> {
        let (found, limit) = (self.k, shape.n_classes.min(TopK::MAX));
        if (1..=limit).contains(&found) { Ok(()) } else { Err(Error::TopK { found, limit }) }
    }

    /// What a slot holds in this form as a mass; none for what is no number. What is above 0 stays among the normal
    /// numbers of f32.
    pub(crate) fn mass<N: Number>(number: f32, form: Form) -> Option<N> {
        let exact = |number: f32| N::from(f64::from(number));
        match form {
            _ if number.is_nan() || number == f32::INFINITY => None,
            Form::LogProbs if number == f32::NEG_INFINITY => Some(exact(0.0)),
            Form::LogProbs => Some(exact(number.max(-87.0)).exp()),
            _ if number < 0.0 => None,
            _ if number == 0.0 => Some(exact(0.0)),
            _ => Some(exact(number.max(f32::MIN_POSITIVE))),
        }
    }
}
