use crate::Error;

/// Which numbers to return per row beside the loss, from the same pass over the logits.
///
/// With a temperature or a soft cap they are those of the softmax so mapped. Of a loss against a distribution they are
/// our distribution's; those of a target ask for a label. Rows that do not count have 0 everywhere; a row without a
/// value or a gradient has NaN, and `u32::MAX` for the argmax.
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::{CrossEntropy, Engine, Inputs, Pass, Shape, Side};
///
/// let logits = [2.0, 1.0, 0.1, 0.5, 2.5, 0.3];
/// let loss = CrossEntropy::new().side(Side::new().argmax().top_1());
/// let out = Engine::cpu().evaluate(loss, Pass::Forward, Shape::new(2, 3), Inputs::new(&logits).targets(&[0, 2]))?;
/// let side = out.side.unwrap();
/// assert_eq!((side.argmax.unwrap(), side.top_1.unwrap()), (vec![0, 1], vec![1.0, 0.0]));
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Side {
    /// `log sum_c exp(x_c)`.
    pub lse: bool,
    /// `-sum_c p_c log p_c`, in nats.
    pub entropy: bool,
    /// `log p_t`.
    pub log_prob: bool,
    /// `p_t`.
    pub prob: bool,
    /// The class of the largest logit, the first of equals.
    pub argmax: bool,
    /// 1 if no logit is greater than the target's, else 0.
    pub top_1: bool,
    /// 1 if fewer than k logits are greater than the target's, else 0.
    pub top_k: Option<u32>,
    /// The mean over the rows kept instead of one number per row: accuracy, mean entropy, and from the mean `log_prob`
    /// the perplexity. There is no mean of an argmax.
    ///
    /// One number per row needs no `log_prob` for the surprisal where the losses come out by row and have no weights,
    /// smoothing or z-loss: they are it.
    pub mean: bool,
}

impl Side {
    pub(crate) const NONE: Side = Side {
        lse: false,
        entropy: false,
        log_prob: false,
        prob: false,
        argmax: false,
        top_1: false,
        top_k: None,
        mean: false,
    };

    /// None yet.
    pub const fn new() -> Self {
        Self::NONE
    }

    /// Adds `log sum_c exp(x_c)`.
    pub const fn lse(mut self) -> Self {
        self.lse = true;
        self
    }

    /// Adds the entropy of the softmax.
    pub const fn entropy(mut self) -> Self {
        self.entropy = true;
        self
    }

    /// Adds `log p_t`.
    pub const fn log_prob(mut self) -> Self {
        self.log_prob = true;
        self
    }

    /// Adds `p_t`.
    pub const fn prob(mut self) -> Self {
        self.prob = true;
        self
    }

    /// Adds the class of the largest logit.
    pub const fn argmax(mut self) -> Self {
        self.argmax = true;
        self
    }

    /// Adds whether the target has the largest logit.
    pub const fn top_1(mut self) -> Self {
        self.top_1 = true;
        self
    }

    /// Adds whether the target is among the k largest logits.
    pub const fn top_k(mut self, k: u32) -> Self {
        self.top_k = Some(k);
        self
    }

    /// Asks for the mean over the rows kept instead of one number per row.
    pub const fn mean(mut self) -> Self {
        self.mean = true;
        self
    }

    /// Whether each is wanted, in the order of a row's words.
    pub(crate) const fn wanted(&self) -> [bool; 7] {
        let Side { lse, entropy, log_prob, prob, argmax, top_1, top_k, .. } = *self;
        [lse, entropy, log_prob, prob, argmax, top_1, top_k.is_some()]
    }

    /// One bit for each that is wanted, the first the lowest: the kernels' `SIDE`.
    pub(crate) fn bits(&self) -> u32 {
        self.wanted().iter().rev().fold(0, |bits, &wanted| bits << 1 | u32::from(wanted))
    }

    /// Words of a row.
    pub(crate) fn width(&self) -> usize {
        self.wanted().into_iter().filter(|wanted| *wanted).count()
    }

    /// The first one wanted that tells of a row's target.
    pub(crate) fn of_target(&self) -> Option<&'static str> {
        let Side { log_prob, prob, top_1, top_k, .. } = *self;
        let asked = [(log_prob, "log_prob"), (prob, "prob"), (top_1, "top_1"), (top_k.is_some(), "top_k")];
        asked.into_iter().find_map(|(wanted, name)| wanted.then_some(name))
    }

    pub(crate) fn check(&self) -> Result<(), Error> {
        match self {
            Side { mean: true, argmax: true, .. } => Err(Error::SideMean { found: "argmax" }),
            Side { mean: true, .. } if self.width() == 0 => Err(Error::SideMean { found: "nothing" }),
            _ => Ok(()),
        }
    }
}

/// The side outputs asked for: one number per row each, or one, their mean.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct SideOutputs {
    /// See [`Side::lse`].
    pub lse: Option<Vec<f32>>,
    /// See [`Side::entropy`].
    pub entropy: Option<Vec<f32>>,
    /// See [`Side::log_prob`].
    pub log_prob: Option<Vec<f32>>,
    /// See [`Side::prob`].
    pub prob: Option<Vec<f32>>,
    /// See [`Side::argmax`].
    pub argmax: Option<Vec<u32>>,
    /// See [`Side::top_1`].
    pub top_1: Option<Vec<f32>>,
    /// See [`Side::top_k`].
    pub top_k: Option<Vec<f32>>,
}

impl SideOutputs {
    /// From rows of words, as kernels write them.
    pub(crate) fn from_words(side: &Side, words: &[u32]) -> SideOutputs {
        let (wanted, width) = (side.wanted(), side.width());
        let mut columns = 0..width;
        let mut take = |i: usize| {
            let column = if wanted[i] { columns.next()? } else { return None };
            Some(words.iter().skip(column).step_by(width).copied().collect::<Vec<u32>>())
        };
        let floats = |words: Option<Vec<u32>>| words.map(|words| words.into_iter().map(f32::from_bits).collect());
        SideOutputs {
            lse: floats(take(0)),
            entropy: floats(take(1)),
            log_prob: floats(take(2)),
            prob: floats(take(3)),
            argmax: take(4),
            top_1: floats(take(5)),
            top_k: floats(take(6)),
        }
    }

    /// Adds those of the rows that follow: their shares of the means, or one more number per row.
    pub(crate) fn append(&mut self, next: SideOutputs, mean: bool) {
        let SideOutputs { lse, entropy, log_prob, prob, argmax, top_1, top_k } = next;
        let columns = [&mut self.lse, &mut self.entropy, &mut self.log_prob, &mut self.prob];
        let columns = columns.into_iter().chain([&mut self.top_1, &mut self.top_k]);
        for (all, next) in columns.zip([lse, entropy, log_prob, prob, top_1, top_k]) {
            match (all, next) {
                (Some(all), Some(next)) if mean => all.iter_mut().zip(next).for_each(|(sum, share)| *sum += share),
                (Some(all), Some(next)) => all.extend(next),
                _ => {}
            }
        }
        if let (Some(all), Some(next)) = (&mut self.argmax, argmax) {
            all.extend(next);
        }
    }

    /// `exp` of the mean surprisal `-log p_t`, if the mean `log_prob` was asked for; of numbers per row there is none.
    pub fn perplexity(&self) -> Option<f32> {
        match self.log_prob.as_deref() {
            Some(&[mean]) => Some((-mean).exp()),
            _ => None,
        }
    }
}
