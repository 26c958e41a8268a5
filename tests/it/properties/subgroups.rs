//! Subgroups of a size that only the kernel learns: some devices have several.

use surprisal::kernel::Variant;
use surprisal::{CrossEntropy, Distillation, Form, KlDivergence, Loss, Rest, Side};

use crate::losses::check_gpu;
use crate::support::cases::{Batch, random_case};
use crate::support::device::open_as;

/// Rows of as many lanes as a subgroup may have, of more, and of fewer.
#[test]
fn kernels_that_ask_for_the_size_of_their_subgroup_match_the_oracle() {
    let top_k = KlDivergence::from_logits(Form::Probs).top_k(3, Rest::Spread);
    let losses: [Loss; 2] = [
        CrossEntropy::new().label_smoothing(0.125).side(Side::new().entropy().argmax()).into(),
        Distillation::new(CrossEntropy::new().ignore_index(1), top_k).into(),
    ];
    let Some(engine) = open_as(Variant::Subgroup, |options| options.workgroup_size = Some(256)) else { return };
    let gpu = engine.gpu().expect("an engine on a GPU");
    let info = gpu.device().adapter_info();
    let gpu = gpu.with_subgroups_of(info.subgroup_min_size / 2, info.subgroup_max_size * 2);
    for loss in losses {
        for n_classes in [18, 66, 257, 1025] {
            check_gpu(&gpu, &random_case(loss.clone(), Batch::new(9, n_classes)));
        }
    }
}
