//! What a binding takes of the device's memory.

use surprisal::{CrossEntropy, Distillation, Form, GpuEngine, KlDivergence, Loss, Params, Pass, Side};

use crate::support::cases::{Batch, random_case};
use crate::support::device::with_limits;
use crate::support::staged::{APART, Staged, plan};

/// Bytes of buffers, by wgpu's count.
fn memory(engine: &GpuEngine) -> u64 {
    engine.device().get_internal_counters().hal.buffer_memory.read() as u64
}

fn losses() -> [Loss; 3] {
    let hard = CrossEntropy::new().ignore_index(-100);
    [
        hard.clone().side(Side::new().entropy().top_1().mean()).into(),
        hard.clone().into(),
        Distillation::new(hard, KlDivergence::from_logits(Form::Logits)).into(),
    ]
}

/// The scratch that was announced, each piece rounded up by an eighth or to the next 256 bytes, and the parameters: 256
/// bytes for each dispatch, and a sum's second part; as many again that wgpu uploads them from.
#[test]
fn a_binding_takes_the_memory_that_was_announced() {
    for loss in losses() {
        // Engines of their own have pools that are empty.
        for engine in with_limits(|_| {}) {
            let case = random_case(loss.clone(), Batch::new(3000, 6));
            let plan = plan(&engine, &case, Pass::ForwardBackward);
            let staged = Staged::new(&engine, &case, Pass::ForwardBackward, APART, &[]);
            let announced = plan.describe(&staged.buffers()).expect("these slices suffice");
            let before = memory(&engine);
            let bound = plan.bind(&staged.buffers()).expect("these slices suffice");
            let (taken, scratch) = (memory(&engine) - before, announced.scratch_bytes);
            let is_sum = matches!(case.loss, Loss::Distillation(_));
            let params = 256 * bound.n_dispatches() as u64 + if is_sum { size_of::<Params>() as u64 } else { 0 };
            assert!(scratch > 0 && taken >= scratch + params, "{taken} bytes, {scratch} announced: {}", case.name);
            let most = scratch + scratch / 8 + 256 * announced.dispatches.len() as u64 + 2 * params;
            assert!(taken <= most, "{taken} bytes, {scratch} announced, {most} at most: {}", case.name);
        }
    }
}
