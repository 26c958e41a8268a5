//! Every kernel there is.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::bindings::reads_targets;
use super::losses::LOSSES;
use super::{Access, Entry, Gradient, KEPT_TILES, Kernel, Program, Values, Variant, Width};
use crate::loss::{Family, Form, Pass, Terms};

impl Kernel {
    /// Every kernel there is: what a test can hold against naga, and a script against a browser's compiler. Of those that
    /// keep tiles the one that keeps most, which has all that is in the others.
    pub fn all() -> Vec<Kernel> {
        let mut kernels = Vec::new();
        for program in Program::all() {
            for variant in [Variant::Workgroup, Variant::Subgroup] {
                for width in program.widths(variant) {
                    for access in [Access::Split, Access::Arena] {
                        for &gradient in program.gradients() {
                            let kernel = Kernel { program, variant, width: *width, access, gradient, kept_tiles: 0 };
                            kernels.push(kernel);
                            if kernel.may_keep_tiles() {
                                kernels.push(Kernel { kept_tiles: KEPT_TILES, ..kernel });
                            }
                        }
                    }
                }
            }
        }
        kernels
    }

    /// Few of all kernels, in which every two choices that meet in a kernel meet: what is checked where all would take
    /// too long.
    pub fn each_pair() -> Vec<Kernel> {
        let all = Self::all();
        // A stride that shares no factor with their number goes through all of them, neighbours far apart.
        let stride = (all.len() * 5 / 8..).find(|&stride| coprime(stride, all.len())).unwrap_or(1);
        let mut seen = HashSet::new();
        let has_news = |kernel: &Kernel| {
            let choices = kernel.choices();
            let pairs = choices.iter().enumerate().flat_map(|(i, a)| choices[i + 1..].iter().map(move |b| (*a, *b)));
            pairs.filter(|pair| seen.insert(*pair)).count() > 0
        };
        (0..all.len()).map(|i| all[i * stride % all.len()]).filter(has_news).collect()
    }

    /// What was chosen, each with its place.
    fn choices(&self) -> [(u32, u64); 7] {
        let Kernel { program, variant, width, access, gradient, kept_tiles } = *self;
        let (machinery, entry) = match program {
            Program::Loss { family, loss, entry, values } => (hash((family, loss)), hash((entry, values))),
            other => (hash(other), 0),
        };
        let [variant, width, access] = [variant as u64, width as u64, access as u64];
        let numbers = [machinery, entry, variant, width, access, gradient as u64, kept_tiles.into()];
        let mut place = 0..;
        numbers.map(|number| (place.next().unwrap_or_default(), number))
    }
}

fn hash(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn coprime(a: usize, b: usize) -> bool {
    if b == 0 { a == 1 } else { coprime(b, a % b) }
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
                let passes = [Pass::Forward, Pass::ForwardBackward, Pass::Backward];
                let whole = passes.into_iter().filter(|&pass| pass != Pass::ForwardBackward || family.is_fused());
                let mut entries: Vec<_> = whole.map(Entry::of).collect();
                for entry in passes.into_iter().flat_map(|pass| by_class(family, loss, pass)) {
                    if !entries.contains(&entry) {
                        entries.push(entry);
                    }
                }
                for entry in entries {
                    let kinds = output_kinds(family, loss, entry);
                    programs.extend(kinds.iter().map(|&values| program((entry, values))));
                }
            }
        }
        programs
    }

    /// Neighbours in a subgroup stand on rows of their own where classes are strided: nothing to shuffle. A row in
    /// windows of classes is read as planes of one position if need be. Words of 64 bits are for software adapters, which
    /// have subgroups.
    fn widths(self, variant: Variant) -> &'static [Width] {
        use Width::{Four, One, Packed, PackedFour, PackedStrided, Pairs, PairsFour, Strided};
        match (self, variant) {
            (Program::Loss { entry, .. }, Variant::Workgroup) if entry.is_finish() => &[One],
            (Program::Loss { entry, .. }, Variant::Workgroup) if entry.is_gathered() => &[Strided, PackedStrided],
            (Program::GatherTruths, Variant::Workgroup) => &[Strided, PackedStrided],
            (Program::Loss { entry, .. }, Variant::Subgroup) if entry.is_gathered() => &[],
            (Program::GatherTruths, Variant::Subgroup) => &[],
            (Program::Loss { .. }, Variant::Workgroup) => &[One, Four, Packed, PackedFour, Strided, PackedStrided],
            (Program::Loss { .. }, Variant::Subgroup) => &[One, Four, Pairs, PairsFour, Packed, PackedFour],
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

/// The ways through windows of classes that make up a pass; those of elementwise losses are passes of their own.
pub(crate) fn by_class(family: Family, loss: &str, pass: Pass) -> Vec<Entry> {
    let forward: &[Entry] = match family {
        Family::Softmax if pass == Pass::Forward => return vec![Entry::Accumulate, Entry::FromSums(pass)],
        Family::Softmax => return vec![Entry::AccumulateUpstream, Entry::FromSums(pass)],
        Family::Elementwise => return vec![Entry::of(pass)],
        _ if pass == Pass::Backward => &[],
        _ if family.is_per_class() => &[Entry::Accumulate, Entry::FromSums(Pass::Forward)],
        Family::GivenLogProb => &[Entry::Finish],
        Family::ClassIndex | Family::RowEntropy => &[Entry::Accumulate, Entry::Finish],
        _ if has_terms(family, loss, pass) => &[Entry::Accumulate, Entry::AddTerms, Entry::FinishTerms],
        Family::Distribution { .. } | Family::Distillation { .. } => &[Entry::Accumulate, Entry::Finish],
    };
    let backward: &[Entry] = match family {
        _ if pass == Pass::Forward => &[],
        _ if family.is_per_class() => &[Entry::AddUpstream, Entry::BackwardTerms],
        _ if Entry::Backward.reads_labels(family) => &[Entry::BackwardGathered],
        _ => &[Entry::Backward],
    };
    [forward, backward].concat()
}

/// Whether a second read sums loss terms: where the first one cannot, and beside a gradient where it cancels.
fn has_terms(family: Family, loss: &str, pass: Pass) -> bool {
    match family {
        Family::Distribution { terms: Terms::Normalised, .. }
        | Family::Distillation { terms: Terms::Normalised, .. } => true,
        Family::Distillation { .. } => pass == Pass::ForwardBackward,
        Family::Distribution { student: Form::Logits, .. } => {
            pass == Pass::ForwardBackward && loss != "soft_cross_entropy"
        }
        _ => false,
    }
}

/// What a loss may put out: elementwise losses with targets both, by their reduction. Side outputs and row weights of a
/// sum of losses go by a forward and a backward pass.
fn output_kinds(family: Family, loss: &str, entry: Entry) -> &'static [Values] {
    match family {
        Family::Distillation { .. } if entry != Entry::ForwardBackward => &[Values::Sums, Values::SumsAndSide],
        _ if entry.reads_state() => &[Values::Sums],
        Family::Softmax | Family::Distribution { terms: Terms::PerElement, .. } => &[Values::PerElement],
        Family::Elementwise if reads_targets(loss) => &[Values::PerElement, Values::Sums],
        Family::ClassIndex | Family::Distribution { student: Form::Logits, .. } => &[Values::Sums, Values::SumsAndSide],
        _ => &[Values::Sums],
    }
}
