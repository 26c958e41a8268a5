//! The caller's slices: what is wrong with them, and what of them a schedule depends on.

use std::ops::Range;

use super::{Buffers, GpuEngine};
use crate::inputs::Broadcast;
use crate::kernel::Slot;
use crate::loss::TargetKind;
use crate::plan::{Placement, Region, Source, Step};
use crate::{Error, Problem};

const WORD: u64 = 4;
/// What errors call the caller's scratch memory.
pub(super) const SCRATCH: &str = "scratch";

/// Refuses slices that are missing, too many, too small, out of place or in each other's way.
pub(super) fn check(engine: &GpuEngine, problem: &Problem, buffers: &Buffers<'_>) -> Result<(), Error> {
    check_presence(problem, buffers)?;
    for (slot, slice) in buffers.given() {
        let len = needed_len(problem, slot, buffers.weights) as u64;
        check_slice(slot.name(), slice, problem.element_bytes(slot), len)?;
    }
    if let Some(scratch) = buffers.scratch {
        check_slice(SCRATCH, scratch, engine.shared.caps.alignment, 0)?;
    }
    check_overlap(problem, buffers, Aliasing::of(engine))
}

/// Whether slices of one buffer meet in a dispatch that writes some and reads others.
pub(super) fn meet(step: &Step, buffers: &Buffers<'_>) -> bool {
    let home = |region: Region| match region.source {
        Source::Caller(slot) => buffers.get(slot),
        Source::Scratch(_) => buffers.scratch,
        Source::Constant(_) => None,
    };
    let homes: Vec<_> =
        step.bound().iter().filter_map(|bound| Some((home(bound.region)?.buffer(), bound.written))).collect();
    homes.iter().any(|&(buffer, written)| written && homes.contains(&(buffer, false)))
}

/// What a schedule has to know of the slices.
pub(super) fn placement(buffers: &Buffers<'_>) -> Placement {
    Placement {
        offsets: buffers.given().map(|(slot, slice)| (slot, slice.offset())).collect(),
        in_place: buffers.in_place,
        weights: buffers.weights,
    }
}

/// Whether a call needs a slice, and whether it would use one.
fn wants(problem: &Problem, slot: Slot, in_place: bool) -> (bool, bool) {
    let both = |needed| (needed, needed);
    match slot {
        Slot::Logits => both(true),
        Slot::Targets => both(problem.spec().targets() != TargetKind::None),
        Slot::Teacher => both(problem.takes_teacher()),
        Slot::TeacherIds => both(problem.takes_teacher_ids()),
        Slot::TargetProbs => both(problem.takes_target_probs()),
        Slot::Weights => (false, problem.takes_weights()),
        Slot::RowWeights => both(problem.takes_row_weights()),
        Slot::Side => both(problem.writes_side()),
        Slot::Errors => (false, problem.spec().targets() == TargetKind::ClassIndex),
        Slot::Dloss => (problem.needs_dloss(), problem.uses_dloss()),
        Slot::Divisor => both(problem.divisor() == crate::loss::Divisor::Input),
        Slot::RowState => (problem.reads_state(), problem.reads_state() || problem.writes_state()),
        Slot::Values => both(problem.writes_values()),
        Slot::Dlogits => both(problem.writes_dlogits() && !in_place),
        Slot::Dtargets => both(problem.writes_dtargets()),
        Slot::Classes | Slot::Terms | Slot::SavedSums | Slot::SavedTerms | Slot::Truths => both(false),
    }
}

/// The slices that a call with a gradient of its own cannot do without, and their bytes.
#[cfg(not(target_arch = "wasm32"))]
pub(super) fn needed(problem: &Problem) -> impl Iterator<Item = (Slot, u64)> + '_ {
    let bytes = |slot| needed_len(problem, slot, None) as u64 * problem.element_bytes(slot);
    let is_needed = |&slot: &Slot| wants(problem, slot, false).0;
    Slot::ALL.into_iter().filter(is_needed).map(move |slot| (slot, bytes(slot)))
}

/// Refuses slices that are missing or that nothing would read.
fn check_presence(problem: &Problem, buffers: &Buffers<'_>) -> Result<(), Error> {
    for slot in Slot::ALL {
        let (needed, used) = wants(problem, slot, buffers.in_place);
        problem.check_presence(slot.name(), buffers.get(slot).is_some(), needed, used)?;
    }
    problem.check_presence("dlogits_in_place", buffers.in_place, false, problem.writes_dlogits())
}

fn check_slice(tensor: &'static str, slice: wgpu::BufferSlice<'_>, element: u64, len: u64) -> Result<(), Error> {
    let expected = len * element;
    let usage = slice.buffer().usage();
    if !usage.contains(wgpu::BufferUsages::STORAGE) {
        return Err(Error::SliceUsage { tensor, found: usage });
    }
    if !slice.offset().is_multiple_of(element) {
        return Err(Error::SliceOffset { tensor, element, offset: slice.offset() });
    }
    if slice.size() < expected {
        return Err(Error::SliceSize { tensor, expected, found: slice.size() });
    }
    let found = slice.buffer().size();
    match (slice.offset() + expected).next_multiple_of(WORD) > found {
        true => Err(Error::PartialWord { tensor, found }),
        false => Ok(()),
    }
}

/// Elements a slice must hold.
fn needed_len(problem: &Problem, slot: Slot, weights: Option<Broadcast>) -> usize {
    let shape = &problem.shape;
    match slot {
        Slot::Logits => shape.logits_len(),
        Slot::Targets if problem.targets_are_labels() => shape.n_rows * problem.labels_per_row(),
        Slot::TargetProbs | Slot::TeacherIds => shape.n_rows * problem.ids_per_row(),
        Slot::Targets | Slot::Teacher => shape.targets_len(),
        Slot::Weights => weights.map_or(0, |broadcast| problem.weights_len(broadcast)),
        Slot::Dloss => problem.losses_len(),
        Slot::Values => problem.values_len(),
        Slot::Divisor | Slot::Errors => 1,
        Slot::RowWeights => shape.n_rows,
        Slot::Side => problem.side_len(),
        Slot::RowState => shape.n_rows * problem.state_width(),
        Slot::Dlogits => shape.dlogits_len(),
        Slot::Dtargets => shape.dtargets_len(),
        Slot::Classes | Slot::Terms | Slot::SavedSums | Slot::SavedTerms | Slot::Truths => 0,
    }
}

fn is_written(problem: &Problem, slot: Slot, in_place: bool) -> bool {
    match slot {
        Slot::Values | Slot::Dlogits | Slot::Dtargets | Slot::Side | Slot::Errors => true,
        Slot::RowState => problem.writes_state(),
        Slot::Logits => in_place,
        _ => false,
    }
}

/// Which slices of one buffer may be bound side by side.
#[derive(Clone, Copy)]
enum Aliasing {
    /// Those whose bytes differ.
    Bytes,
    /// A browser refuses bindings that overlap if one may be written, as all of an arena's may; and bindings start at
    /// whole blocks of so many bytes.
    Blocks(u64),
}

impl Aliasing {
    fn of(engine: &GpuEngine) -> Aliasing {
        match engine.shared.device.adapter_info().backend {
            wgpu::Backend::BrowserWebGpu => Aliasing::Blocks(engine.shared.caps.alignment),
            _ => Aliasing::Bytes,
        }
    }
}

/// The bytes of a buffer that a call has to itself, or reads.
struct Claim<'a> {
    name: &'static str,
    buffer: &'a wgpu::Buffer,
    bytes: Range<u64>,
    written: bool,
}

impl Claim<'_> {
    /// Whether both lie in one of the buffer's blocks of so many bytes; starts are rounded down, as a binding's is.
    fn meets(&self, other: &Claim<'_>, block: u64) -> bool {
        let first = |claim: &Claim<'_>| claim.bytes.start - claim.bytes.start % block;
        first(self) < other.bytes.end && first(other) < self.bytes.end
    }
}

fn claims<'a>(problem: &Problem, buffers: &Buffers<'a>) -> Vec<Claim<'a>> {
    let given = buffers.given().map(|(slot, slice)| {
        let len = needed_len(problem, slot, buffers.weights) as u64 * problem.element_bytes(slot);
        let written = is_written(problem, slot, buffers.in_place);
        Claim { name: slot.name(), buffer: slice.buffer(), bytes: slice.offset()..slice.offset() + len, written }
    });
    let scratch = buffers.scratch.map(|slice| {
        let bytes = slice.offset()..slice.offset() + slice.size();
        Claim { name: SCRATCH, buffer: slice.buffer(), bytes, written: true }
    });
    given.chain(scratch).collect()
}

fn check_overlap(problem: &Problem, buffers: &Buffers<'_>, aliasing: Aliasing) -> Result<(), Error> {
    let claims = claims(problem, buffers);
    // Pairs in one buffer, each in both orders.
    let pairs = || {
        let others = |one: usize| (0..claims.len()).filter(move |&other| other != one);
        let pairs = (0..claims.len()).flat_map(move |one| others(one).map(move |other| (one, other)));
        pairs.map(|(one, other)| (&claims[one], &claims[other])).filter(|(one, other)| one.buffer == other.buffer)
    };
    for (one, other) in pairs().filter(|(one, _)| one.written) {
        if one.meets(other, 1) {
            return Err(Error::Overlap { written: one.name, other: other.name });
        }
    }
    let Aliasing::Blocks(block) = aliasing else { return Ok(()) };
    // Pieces of scratch meet each other, and what is bound with them.
    let is_arena = buffers.scratch.is_some() || pairs().any(|(one, other)| one.written && !other.written);
    for (one, other) in pairs().filter(|(one, _)| one.written || is_arena) {
        if one.meets(other, block) {
            return Err(Error::SharedBlock { one: one.name, other: other.name, block });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CrossEntropy, Pass, Shape};

    /// Of one device: wgpu does not tell apart the buffers of two instances.
    fn buffers<const N: usize>(sizes: [u64; N]) -> [wgpu::Buffer; N] {
        let (device, _queue) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
        let usage = wgpu::BufferUsages::STORAGE;
        sizes.map(|size| {
            device.create_buffer(&wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false })
        })
    }

    /// Cross-entropy of 2 x 3.
    fn problem() -> Problem {
        Problem::new(CrossEntropy::new(), Pass::ForwardBackward, Shape::new(2, 3)).expect("it has a meaning")
    }

    /// What is said to a buffer's slices at these offsets.
    fn check(aliasing: Aliasing, [logits, targets, values, dlogits]: [u64; 4]) -> Result<(), Error> {
        let [arena] = buffers([4096]);
        let buffers = Buffers::new(arena.slice(logits..)).targets(arena.slice(targets..));
        let buffers = buffers.values(arena.slice(values..)).dlogits(arena.slice(dlogits..));
        check_overlap(&problem(), &buffers, aliasing)
    }

    #[test]
    fn a_browser_has_the_slices_of_an_arena_in_blocks_of_their_own() {
        let block = 256;
        let shared = |one, other| Err(Error::SharedBlock { one, other, block });
        let written = Error::Overlap { written: "dlogits", other: "logits" };
        for (offsets, natively, in_browser) in [
            ([0, 256, 512, 768], Ok(()), Ok(())),
            // The values lie behind the labels, the labels behind the logits.
            ([0, 256, 264, 768], Ok(()), shared("targets", "values")),
            ([0, 24, 512, 768], Ok(()), shared("logits", "targets")),
            ([0, 256, 512, 516], Ok(()), shared("values", "dlogits")),
            // Both are read alone, but an arena's kernels may write everything.
            ([0, 0, 512, 768], Ok(()), shared("logits", "targets")),
            ([0, 256, 512, 20], Err(written.clone()), Err(written)),
        ] {
            assert_eq!(check(Aliasing::Bytes, offsets), natively, "{offsets:?}");
            assert_eq!(check(Aliasing::Blocks(block), offsets), in_browser, "{offsets:?} in a browser");
        }
    }

    /// Kernels that find scratch in one piece may write everything, as an arena's.
    #[test]
    fn a_browser_has_inputs_beside_scratch_in_blocks_of_their_own() {
        let [arena, scratch] = buffers([4096, 1024]);
        let apart = |targets: u64| {
            let buffers = Buffers::new(arena.slice(..24)).targets(arena.slice(targets..targets + 8));
            let outputs = buffers.values(scratch.slice(..4)).dlogits(scratch.slice(256..280));
            check_overlap(&problem(), &outputs.scratch(scratch.slice(512..)), Aliasing::Blocks(256))
        };
        assert_eq!(apart(256), Ok(()));
        assert_eq!(apart(24), Err(Error::SharedBlock { one: "logits", other: "targets", block: 256 }));
    }
}
