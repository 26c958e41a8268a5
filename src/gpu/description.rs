use std::fmt;

use crate::plan::{Schedule, Step};

/// What a plan launches for some buffers, as [`crate::Plan::describe`] tells and `Display` prints.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Description {
    /// In the order they are recorded.
    pub dispatches: Vec<DispatchDescription>,
    /// Bytes of scratch memory: of the engine's pool, which rounds each piece up, or of [`crate::Buffers::scratch`].
    pub scratch_bytes: u64,
}

/// One dispatch of a [`Description`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DispatchDescription {
    /// The label of its pipeline and bind group, e.g. `cross_entropy/forward_backward/subgroup/f32x4/kept2`.
    pub kernel: String,
    /// Lanes of a workgroup.
    pub workgroup_size: u32,
    /// Lanes that share a row.
    pub lanes: u32,
    /// Workgroups along x, y and z.
    pub workgroups: (u32, u32, u32),
    /// Bytes of the bindings that it reads, from where each may start, padding included: the least that moves, but for
    /// what looks up one class of a row.
    pub bytes_read: u64,
    /// Bytes of the bindings that it writes, likewise.
    pub bytes_written: u64,
}

impl Description {
    pub(super) fn new(schedule: &Schedule, alignment: u64) -> Description {
        Description {
            dispatches: schedule.steps.iter().map(DispatchDescription::new).collect(),
            scratch_bytes: schedule.scratch_bytes(alignment),
        }
    }
}

impl DispatchDescription {
    fn new(step: &Step) -> DispatchDescription {
        let (mut bytes_read, mut bytes_written) = (0, 0);
        for binding in step.bound() {
            bytes_read += if binding.read { binding.region.size } else { 0 };
            bytes_written += if binding.written { binding.region.size } else { 0 };
        }
        DispatchDescription {
            kernel: step.kernel.label(),
            workgroup_size: step.constants.workgroup_size,
            lanes: step.constants.lanes,
            workgroups: step.grid,
            bytes_read,
            bytes_written,
        }
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for dispatch in &self.dispatches {
            writeln!(f, "{dispatch}")?;
        }
        write!(f, "{} bytes of scratch", self.scratch_bytes)
    }
}

impl fmt::Display for DispatchDescription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DispatchDescription { kernel, workgroup_size, lanes, workgroups: (x, y, z), bytes_read, bytes_written } =
            self;
        write!(f, "{kernel}: {x} x {y} x {z} workgroups of {workgroup_size}, {lanes} to a row; ")?;
        write!(f, "{bytes_read} bytes in, {bytes_written} out")
    }
}
