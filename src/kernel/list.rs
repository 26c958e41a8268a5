//! Every kernel there is.

use super::bindings::reads_targets;
use super::losses::LOSSES;
use super::{Access, Entry, Gradient, Kernel, Program, Values, Variant, Width};
use crate::loss::{Family, Form, Pass, Support, Terms};

impl Kernel {
    /// Every kernel there is: what a test can hold against naga, and a script against a browser's compiler.
    pub fn all() -> Vec<Kernel> {
        let mut kernels = Vec::new();
        for program in Program::all() {
            for variant in [Variant::Workgroup, Variant::Subgroup] {
                for width in program.widths(variant) {
                    for access in [Access::Split, Access::Arena] {
                        for &gradient in program.gradients() {
                            kernels.push(Kernel { program, variant, width: *width, access, gradient });
                        }
                    }
                }
            }
        }
        kernels
    }
}

impl Program {
    fn all() -> Vec<Program> {
        let mut programs = vec![
            Program::SumValues,
            Program::SumTargetWeights,
            Program::SumRowWeights,
            Program::CountErrors,
            Program::GatherTruths,
        ];
        for &(loss, _, families) in LOSSES {
            for &family in families {
                let program = |(entry, values)| Program::Loss { family, loss, entry, values };
                programs.push(program((Entry::Backward, Values::Sums)));
                if family.has_labels() && !forward_by_class(family, loss, Pass::Backward).is_empty() {
                    programs.push(program((Entry::BackwardGathered, Values::Sums)));
                }
                for &values in output_kinds(family, loss) {
                    let mut entries = vec![Entry::Forward, Entry::ForwardBackward];
                    for pass in [Pass::Forward, Pass::ForwardBackward] {
                        let by_class = forward_by_class(family, loss, pass);
                        entries.extend(by_class.iter().filter(|entry| !entries.contains(entry)).collect::<Vec<_>>());
                    }
                    programs.extend(entries.into_iter().map(|entry| program((entry, values))));
                }
            }
        }
        programs
    }

    /// Neighbours in a subgroup stand on rows of their own where classes are strided: nothing to shuffle. A row in windows
    /// of classes is read as planes of one position if need be.
    fn widths(self, variant: Variant) -> &'static [Width] {
        use Width::{Four, One, Packed, PackedFour, PackedStrided, Pairs, Strided};
        match (self, variant) {
            (Program::Loss { entry, .. }, Variant::Workgroup) if entry.is_finish() => &[One],
            (Program::Loss { entry, .. }, Variant::Workgroup) if entry.is_gathered() => &[Strided, PackedStrided],
            (Program::GatherTruths, Variant::Workgroup) => &[Strided, PackedStrided],
            (Program::Loss { entry, .. }, Variant::Subgroup) if entry.is_gathered() => &[],
            (Program::GatherTruths, Variant::Subgroup) => &[],
            (Program::Loss { .. }, Variant::Workgroup) => {
                &[One, Four, Pairs, Packed, PackedFour, Strided, PackedStrided]
            }
            (Program::Loss { .. }, Variant::Subgroup) => &[One, Four, Pairs, Packed, PackedFour],
            _ => &[One],
        }
    }

    fn gradients(self) -> &'static [Gradient] {
        match self {
            Program::Loss { entry, .. } if entry.writes_gradient() => &[Gradient::Separate, Gradient::InPlace],
            _ => &[Gradient::Separate],
        }
    }
}

/// The ways through windows of classes that make up a forward pass, or the part of a fused one before the gradient; none
/// for losses that need whole rows.
pub(crate) fn forward_by_class(family: Family, loss: &str, pass: Pass) -> &'static [Entry] {
    use Entry::{Accumulate, AddTerms, Finish, FinishTerms};
    match family {
        Family::GivenLogProb => &[Finish],
        Family::ClassIndex | Family::RowEntropy => &[Accumulate, Finish],
        Family::Distribution { terms: Terms::PerElement, .. } | Family::Distribution { support: Support::TopK, .. } => {
            &[]
        }
        Family::Softmax | Family::Elementwise | Family::Distillation { .. } => &[],
        _ if has_terms(family, loss, pass) => &[Accumulate, AddTerms, FinishTerms],
        Family::Distribution { .. } => &[Accumulate, Finish],
    }
}

/// Whether a second read sums loss terms: where the first one cannot, and beside a gradient where it cancels.
fn has_terms(family: Family, loss: &str, pass: Pass) -> bool {
    match family {
        Family::Distribution { terms: Terms::Normalised, .. } => true,
        Family::Distribution { student: Form::Logits, .. } => {
            pass == Pass::ForwardBackward && loss != "soft_cross_entropy"
        }
        _ => false,
    }
}

/// What a loss may put out: elementwise losses with targets both, by their reduction.
fn output_kinds(family: Family, loss: &str) -> &'static [Values] {
    match family {
        Family::Softmax | Family::Distribution { terms: Terms::PerElement, .. } => &[Values::PerElement],
        Family::Elementwise if reads_targets(loss) => &[Values::PerElement, Values::Sums],
        Family::ClassIndex => &[Values::Sums, Values::SumsAndSide],
        _ => &[Values::Sums],
    }
}
