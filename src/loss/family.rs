use super::Form;

/// The shared machinery a loss runs through; see ARCHITECTURE.md.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// Softmax with one output per class.
    Softmax,
    /// Softmax, one label per row: `loss(log_p, q)`, `dloss_dlog_p(log_p, q)`.
    ClassIndex,
    /// No softmax, one label per row: `-w_t lp_t` of log-probabilities as given.
    GivenLogProb,
    /// A distribution against a distribution: `slope = dloss/dlog q`, `dx_j = slope_j - q_j sum_c slope_c`.
    Distribution {
        /// Whose loss it is: `Logits` or `LogProbs`.
        student: Form,
        /// What it is held against.
        teacher: Form,
        /// For which classes that is given.
        support: Support,
        /// How its sums over the classes come about.
        terms: Terms,
        /// Whose gradients are wanted.
        gradients: Gradients,
    },
    /// A class index and a distribution, of the same logits: a loss of each, weighted and summed.
    Distillation {
        /// The name of the loss against the class index.
        hard: &'static str,
        /// The divergence's name.
        soft: &'static str,
        /// What it is from.
        teacher: Form,
        /// For which classes that is given.
        support: Support,
        /// How its sums over the classes come about.
        terms: Terms,
    },
    /// Softmax and no target: the entropy.
    RowEntropy,
    /// One term per element: `loss(x, y)`, `dloss_dx(x, y)`.
    Elementwise,
}

/// The classes of a row that a teacher gives a number for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Support {
    /// Every class: one number each.
    Dense,
    /// The k classes it names, with a number each; see [`crate::TopK`].
    TopK,
}

/// Whose gradient a loss of two distributions has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Gradients {
    /// `dlogits`.
    Student,
    /// `dlogits` and `dtargets`.
    Both,
}

/// What a loss of a distribution Q against P sums over the classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Terms {
    /// `p h(log p, log q)`, h linear: summed in the read that finds the normalisers. The slopes are `-p`.
    MeanUnderTeacher,
    /// `q h(log p, log q)`, h linear: summed in the same read; so are the slopes, `q h`.
    MeanUnderStudent,
    /// Any function of p and q: summed in a second read, once both are known.
    Normalised,
    /// `p h(log p, log q)`, each a value of its own with an upstream gradient of its own.
    PerElement,
}

impl Terms {
    /// Whether the slopes sum to -1, whatever the row: those of a softmax's p do.
    pub(crate) fn slopes_known(self, teacher: Form) -> bool {
        self == Terms::MeanUnderTeacher && teacher == Form::Logits
    }
}

impl Family {
    /// Whether the targets have a gradient too.
    pub(crate) fn has_teacher_gradient(self) -> bool {
        matches!(self, Family::Distribution { gradients: Gradients::Both, .. })
    }

    /// Whether a teacher names the classes it has numbers for.
    pub(crate) fn is_top_k(self) -> bool {
        match self {
            Family::Distribution { support, .. } | Family::Distillation { support, .. } => support == Support::TopK,
            _ => false,
        }
    }

    /// The divergence of a sum, by itself.
    pub(crate) fn soft_part(self) -> Option<Family> {
        let (student, gradients) = (Form::Logits, Gradients::Student);
        match self {
            Family::Distillation { teacher, support, terms, .. } => {
                Some(Family::Distribution { student, teacher, support, terms, gradients })
            }
            _ => None,
        }
    }

    /// Whether a row has one label.
    pub(crate) fn has_labels(self) -> bool {
        matches!(self, Family::ClassIndex | Family::GivenLogProb | Family::Distillation { .. })
    }

    /// Whether a backward pass starts from what a forward pass found over the classes.
    pub(crate) fn saves_state(self) -> bool {
        !matches!(self, Family::GivenLogProb | Family::Elementwise)
    }

    /// Whether what a forward pass saves of a row holds its label and that class's logit: the backward pass of a sum has
    /// no binding left for them beside the ids of a top-k teacher.
    pub(crate) fn saves_label(self) -> bool {
        matches!(self, Family::Distillation { .. })
    }

    /// Whether one kernel makes loss and gradient: labels, ids and their numbers, values and gradient would bind nine
    /// buffers.
    pub(crate) fn is_fused(self) -> bool {
        !(self.has_labels() && self.is_top_k())
    }

    /// Numbers saved per row: the running maximum and sum of each softmax, and what else the gradient needs.
    pub(crate) fn state_width(self) -> usize {
        match self {
            Family::Softmax | Family::ClassIndex => 2, // m, D
            Family::RowEntropy => 3,                   // m, D, entropy
            Family::GivenLogProb | Family::Elementwise => 0,
            // m, D; the divergence's; the label and its logit.
            Family::Distillation { .. } => 2 + self.soft_part().map_or(0, Family::state_width) + 2,
            Family::Distribution { student, teacher, terms, gradients, .. } => {
                let softmaxes = [student, teacher].into_iter().filter(|&form| form == Form::Logits).count();
                let divergence = gradients == Gradients::Both && teacher == Form::Logits;
                2 * softmaxes + usize::from(!terms.slopes_known(teacher)) + usize::from(divergence) // m, D; the slopes' sum
            }
        }
    }

    /// Whether its rows may have weights in any kernel: one value per row comes of its classes, and a binding is free.
    /// Those of a sum of losses have them in kernels of their own.
    pub(crate) fn weighs_rows(self) -> bool {
        !matches!(self, Family::Softmax | Family::Elementwise | Family::Distillation { .. }) && !self.is_per_class()
    }

    /// Values that a row, or the batch, has: a sum comes with its parts.
    pub(crate) fn values_per_loss(self) -> usize {
        if matches!(self, Family::Distillation { .. }) { 4 } else { 1 }
    }

    /// Whether a loss reads `divisor` forward too: a term that no class weight touches is brought to it.
    pub(crate) fn has_mixed_divisors(self) -> bool {
        matches!(self, Family::ClassIndex | Family::Distillation { .. })
    }

    /// Lanes in a workgroup at most, so that what they share fits the 16 KiB that WebGPU promises; `has_extras`: beside
    /// a sum's row weights or side outputs.
    pub(crate) fn most_lanes(self, has_extras: bool) -> u32 {
        match self {
            Family::Distillation { support: Support::TopK, .. } if has_extras => 64,
            Family::Distillation { .. } => 128,
            _ if self.is_top_k() => 128,
            _ => u32::MAX,
        }
    }

    /// Whether a loss of distributions has one value per class.
    pub(crate) fn is_per_class(self) -> bool {
        matches!(self, Family::Distribution { terms: Terms::PerElement, .. })
    }

    /// Whether an element's gradient depends on the upstream gradient of its whole row.
    pub(crate) fn uses_whole_dloss(self) -> bool {
        self == Family::Softmax || self.is_per_class()
    }
}
