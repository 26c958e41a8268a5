//! A kernel's text: fragments in their order, one file after the other.

use std::borrow::Cow;
use std::fmt::Write;

use super::family::{
    CLASS_FACTORS, IGNORED, LABEL, NO_ROW_WEIGHTS, SOFTMAX_STATE, TRUTH, TRUTH_OF_LABEL, family_fragments, shuffles,
};
use super::fragment::{Fragment, fragment};
use super::part::{Part, renamed};
use super::{Binding, Entry, Gradient, Kernel, Program, Slot, Values, Variant, Width};
use crate::loss::{Family, Terms};

impl Kernel {
    /// The kernel's WGSL, without the `enable` lines that browsers want and naga refuses.
    pub fn source(&self) -> String {
        let mut source = String::new();
        let mut push = |fragment: Fragment, text: &str| {
            writeln!(source, "// ---- shaders/{}\n{text}", fragment.path).expect("a String takes all that is written");
        };
        for fragment in self.fragments() {
            push(fragment, &self.each_tile(fragment.text()));
        }
        for Part { name, outside, fragments } in self.parts() {
            let texts: Vec<_> = fragments.iter().map(|fragment| fragment.text()).collect();
            for (fragment, text) in fragments.iter().zip(renamed(name, outside, &texts)) {
                push(*fragment, &text);
            }
        }
        push(Fragment { path: "(bindings)", built_in: "" }, &self.binding_text());
        if self.width.is_packed() {
            push(HALF, HALF.text());
        }
        for binding in self.bindings() {
            for (fragment, slot) in self.element_fragments(&binding) {
                let text = fragment.text().replace("SLOT", slot.name()).replace("BUFFER", binding.slot.name());
                push(fragment, &text);
            }
        }
        for monoid in self.monoids() {
            let reduce = self.variant.reduce();
            push(reduce, &reduce.text().replace("MONOID", monoid));
        }
        source
    }

    /// With a line for each tile that a lane keeps in the place of one that names `EACH_TILE`.
    fn each_tile(&self, text: &'static str) -> Cow<'static, str> {
        const NAME: &str = "EACH_TILE";
        if self.kept_tiles == 0 || !text.contains(NAME) {
            return text.into();
        }
        let first_classes = (0..self.kept_tiles).map(|tile| format!("{}u", 4 * tile)).collect::<Vec<_>>();
        let line = |line: &str| match line.contains(NAME) && !line.starts_with("//") {
            true => first_classes.iter().map(|c| line.replace(NAME, c) + "\n").collect(),
            false => format!("{line}\n"),
        };
        text.lines().map(line).collect::<String>().into()
    }

    fn binding_text(&self) -> String {
        let mut text = String::new();
        for Binding { slot, read_write, element, storage, .. } in self.bindings() {
            let access = if read_write { "read_write" } else { "read" };
            let (number, name) = (slot as u32, slot.name());
            writeln!(text, "@group(0) @binding({number}) var<storage, {access}> {name}: array<{element}>;")
                .expect("a String takes all that is written");
            if let Some(storage) = storage {
                writeln!(text, "override {storage}: u32 = F32;").expect("a String takes all that is written");
            }
        }
        text
    }

    /// Types of partial results that lanes share.
    fn monoids(&self) -> &'static [&'static str] {
        let (family, entry, values) = match self.program {
            Program::Loss { family, entry, values, .. } => (family, entry, values),
            Program::CountErrors | Program::GatherTruths => return &[],
            _ => return &["Total"],
        };
        match (family, entry) {
            (_, Entry::Accumulate) if family.is_top_k() => &["Sums", "Mass"],
            (_, Entry::AddTerms) if family.is_top_k() => &["Total", "Mass"],
            (_, Entry::Accumulate | Entry::AccumulateUpstream) => &["Sums"],
            (_, Entry::FromSums(_)) => &[],
            (_, Entry::AddTerms | Entry::AddUpstream | Entry::Finish | Entry::FinishTerms) => &["Total"],
            (_, Entry::BackwardTerms) => &[],
            (Family::Elementwise, Entry::Backward) => &[],
            (Family::Elementwise, _) if values == Values::PerElement => &[],
            (Family::Elementwise, _) => &["Total"],
            (Family::GivenLogProb, Entry::Forward | Entry::ForwardBackward) => &["Total"],
            (Family::Softmax, _) => &["Sums"],
            (Family::Distribution { terms: Terms::PerElement, .. }, Entry::Forward) => &["Sums"],
            (Family::Distribution { terms: Terms::PerElement, .. }, Entry::Backward) => &["Total"],
            (_, Entry::Backward) if family.is_top_k() => &["Mass"],
            (_, Entry::Backward | Entry::BackwardGathered) => &[],
            _ if family.is_top_k() => &["Sums", "Total", "Mass"],
            _ => &["Sums", "Total"],
        }
    }

    /// How a binding's elements are loaded and stored, and the slot that the functions are named after.
    fn element_fragments(&self, binding: &Binding) -> Vec<(Fragment, Slot)> {
        let Binding { slot, written, tensor, storage, .. } = *binding;
        let in_place = slot == Slot::Logits && self.gradient == Gradient::InPlace;
        let is_read = !written || in_place;
        let width = match (tensor, storage) {
            (true, _) => self.width,
            (false, Some(_)) => Width::Packed,
            (false, None) => Width::One,
        };
        let mut list = Vec::new();
        if is_read && matches!(width, Width::Packed | Width::PackedStrided) {
            list.push((if in_place { PACKED_WORD_IN_PLACE } else { PACKED_WORD }, slot));
        }
        if is_read && tensor {
            list.push((width.load(), slot));
        }
        if is_read && (self.reads_single(slot) || (tensor && width.is_strided())) {
            list.push((width.single(), slot));
        }
        if written && tensor {
            let named = if in_place { Slot::Dlogits } else { slot };
            list.extend(width.store().iter().map(|&fragment| (fragment, named)));
        }
        list
    }

    /// Losses of labels read the target's logit by itself; an upstream gradient is read so unless it is a tensor, and
    /// so are a top-k teacher's numbers.
    fn reads_single(&self, slot: Slot) -> bool {
        let Program::Loss { family, entry, .. } = self.program else { return false };
        match slot {
            Slot::Logits => entry.reads_labels(family) && !entry.is_gathered(),
            Slot::Dloss => family != Family::Softmax,
            Slot::TargetProbs => true,
            _ => false,
        }
    }

    fn fragments(&self) -> Vec<Fragment> {
        let mut list = vec![PARAMS, self.layout(), self.lane(), TOTAL];
        if self.variant == Variant::Subgroup && self.monoids().contains(&"Total") {
            list.push(TOTAL_SHUFFLE);
        }
        match self.program {
            Program::SumValues => list.extend([SCALE_DIVISOR, SUM, SUM_VALUES]),
            Program::SumTargetWeights => {
                list.extend([CLASS_FACTORS, LABEL, IGNORED, ROW_SHARE, SUM, SUM_TARGET_WEIGHTS]);
            }
            Program::SumRowWeights => list.extend([ROW_SHARE, SUM, SUM_ROW_WEIGHTS]),
            Program::CountErrors => list.extend([LABEL, IGNORED, COUNT_ERRORS]),
            Program::GatherTruths => list.extend([LABEL, IGNORED, TRUTH, TRUTH_OF_LABEL, GATHER]),
            Program::Loss { family, loss, entry, values } => {
                list.extend([MATH]);
                if self.scales_upstream() {
                    list.push(if self.scales_elements() { SCALE_ELEMENT_UPSTREAM } else { SCALE_UPSTREAM });
                }
                if entry.writes_gradient() && family != Family::Softmax {
                    list.extend([SCALE_DIVISOR, SCALE_INVERSE]);
                } else if family.has_mixed_divisors() && entry.writes_values() {
                    list.push(SCALE_DIVISOR);
                }
                if family.saves_state() && !self.has_soft_params() {
                    list.push(SOFTMAX_STATE);
                }
                if self.variant == Variant::Subgroup && self.monoids().contains(&"Sums") {
                    list.extend(shuffles(family, values));
                }
                if self.variant == Variant::Subgroup && self.monoids().contains(&"Mass") {
                    list.push(MASS_SHUFFLE);
                }
                list.extend(family_fragments(family, loss, entry, values, self.kept_tiles > 0));
                if self.weighs_rows() {
                    list.push(ROW_WEIGHTS);
                    if entry.writes_values() {
                        list.push(if self.has_soft_params() { WEIGHED_PARTS } else { WEIGHED });
                    }
                } else if family.weighs_rows() || self.has_soft_params() {
                    list.push(NO_ROW_WEIGHTS);
                    if entry.writes_values() {
                        list.push(UNWEIGHED);
                    }
                }
                if entry.writes_gradient() {
                    list.push(match self.gradient {
                        Gradient::Separate => GRADIENT_SEPARATE,
                        Gradient::InPlace => GRADIENT_IN_PLACE,
                    });
                }
            }
        }
        list
    }
}

const PARAMS: Fragment = fragment!("params.wgsl");
const MATH: Fragment = fragment!("math.wgsl");
const HALF: Fragment = fragment!("elem/half.wgsl");
const PACKED_WORD: Fragment = fragment!("elem/packed/word.wgsl");
const PACKED_WORD_IN_PLACE: Fragment = fragment!("elem/packed/word_in_place.wgsl");
const PACKED_STORE_HALF: Fragment = fragment!("elem/packed/store_half.wgsl");
const STRIDED_STORE: Fragment = fragment!("elem/strided/store.wgsl");
const TOTAL: Fragment = fragment!("total.wgsl");
const TOTAL_SHUFFLE: Fragment = fragment!("total_shuffle.wgsl");
const MASS_SHUFFLE: Fragment = fragment!("distribution/top_k/shuffle.wgsl");
const SCALE_DIVISOR: Fragment = fragment!("scale/divisor.wgsl");
const SCALE_INVERSE: Fragment = fragment!("scale/inverse.wgsl");
const SCALE_UPSTREAM: Fragment = fragment!("scale/upstream.wgsl");
const SCALE_ELEMENT_UPSTREAM: Fragment = fragment!("scale/element_upstream.wgsl");
const GATHER: Fragment = fragment!("class_index/gather.wgsl");
const ROW_WEIGHTS: Fragment = fragment!("rows/weights.wgsl");
const WEIGHED: Fragment = fragment!("rows/weighed.wgsl");
const WEIGHED_PARTS: Fragment = fragment!("distillation/weighed.wgsl");
const UNWEIGHED: Fragment = fragment!("rows/unweighed.wgsl");
const ROW_SHARE: Fragment = fragment!("sum/row_share.wgsl");
const GRADIENT_SEPARATE: Fragment = fragment!("gradient/separate.wgsl");
const GRADIENT_IN_PLACE: Fragment = fragment!("gradient/in_place.wgsl");
const SUM: Fragment = fragment!("sum/sum.wgsl");
const SUM_VALUES: Fragment = fragment!("sum/values.wgsl");
const SUM_TARGET_WEIGHTS: Fragment = fragment!("sum/target_weights.wgsl");
const SUM_ROW_WEIGHTS: Fragment = fragment!("sum/row_weights.wgsl");
const COUNT_ERRORS: Fragment = fragment!("sum/errors.wgsl");

impl Kernel {
    fn layout(&self) -> Fragment {
        match self.width.is_strided() {
            true => fragment!("layout/planes.wgsl"),
            false => fragment!("layout/rows.wgsl"),
        }
    }

    fn lane(&self) -> Fragment {
        match self.variant {
            _ if self.width.is_strided() => fragment!("reduce/lane_planes.wgsl"),
            Variant::Workgroup => fragment!("reduce/lane_workgroup.wgsl"),
            Variant::Subgroup => fragment!("reduce/lane_subgroup.wgsl"),
        }
    }
}

impl Variant {
    fn reduce(self) -> Fragment {
        match self {
            Variant::Workgroup => fragment!("reduce/workgroup.wgsl"),
            Variant::Subgroup => fragment!("reduce/subgroup.wgsl"),
        }
    }
}

impl Width {
    fn load(self) -> Fragment {
        match self {
            Width::One => fragment!("elem/f32/load.wgsl"),
            Width::Four => fragment!("elem/f32x4/load.wgsl"),
            Width::Pairs => fragment!("elem/pairs/load.wgsl"),
            Width::PairsFour => fragment!("elem/pairsx4/load.wgsl"),
            Width::Packed => fragment!("elem/packed/load.wgsl"),
            Width::PackedFour => fragment!("elem/packedx4/load.wgsl"),
            Width::Strided | Width::PackedStrided => fragment!("elem/strided/load.wgsl"),
        }
    }

    fn store(self) -> &'static [Fragment] {
        match self {
            Width::One => &[fragment!("elem/f32/store.wgsl")],
            Width::Four => &[fragment!("elem/f32x4/store.wgsl")],
            Width::Pairs => &[fragment!("elem/pairs/store.wgsl")],
            Width::PairsFour => &[fragment!("elem/pairsx4/store.wgsl")],
            Width::Packed => &[PACKED_STORE_HALF, fragment!("elem/packed/store.wgsl")],
            Width::PackedFour => &[fragment!("elem/packedx4/store.wgsl")],
            Width::Strided => &[fragment!("elem/f32/store_single.wgsl"), STRIDED_STORE],
            Width::PackedStrided => &[PACKED_STORE_HALF, fragment!("elem/packed/store_single.wgsl"), STRIDED_STORE],
        }
    }

    fn single(self) -> Fragment {
        match self {
            Width::One | Width::Strided => fragment!("elem/f32/single.wgsl"),
            Width::Four => fragment!("elem/f32x4/single.wgsl"),
            Width::Pairs => fragment!("elem/pairs/single.wgsl"),
            Width::PairsFour => fragment!("elem/pairsx4/single.wgsl"),
            Width::Packed | Width::PackedStrided => fragment!("elem/packed/single.wgsl"),
            Width::PackedFour => fragment!("elem/packedx4/single.wgsl"),
        }
    }
}
