use super::pool::Pooled;
use super::slices::SCRATCH;
use super::{Buffers, GpuEngine};
use crate::Error;
use crate::plan::Schedule;

/// Where a schedule's scratch lies.
#[derive(Debug)]
pub(super) enum Scratch<'a> {
    /// Each piece in a buffer of the engine's pool.
    Pooled(Vec<Pooled>),
    /// One piece after the other in a slice of the caller's, from these bytes of its buffer on.
    Given(wgpu::BufferSlice<'a>, Vec<u64>),
}

impl<'a> Scratch<'a> {
    /// Room for the schedule's pieces: in the caller's slice where there is one. Fails if that is too small.
    pub fn take(engine: &GpuEngine, buffers: &Buffers<'a>, schedule: &Schedule) -> Result<Scratch<'a>, Error> {
        let alignment = engine.shared.caps.alignment;
        let Some(slice) = buffers.scratch else {
            let take = |&size| {
                let usage = wgpu::BufferUsages::STORAGE;
                engine.shared.pool.take(&engine.shared.device, SCRATCH, size, usage)
            };
            return Ok(Scratch::Pooled(schedule.scratch.iter().map(take).collect::<Result<_, _>>()?));
        };
        let (expected, found) = (schedule.scratch_bytes(alignment), slice.size());
        if found < expected {
            return Err(Error::SliceSize { tensor: SCRATCH, expected, found });
        }
        let starts = schedule.scratch.iter().scan(slice.offset(), |next, size| {
            let start = *next;
            *next += size.next_multiple_of(alignment);
            Some(start)
        });
        Ok(Scratch::Given(slice, starts.collect()))
    }

    /// The buffer that a piece lies in, and where it starts.
    pub fn at(&self, number: usize) -> (&wgpu::Buffer, u64) {
        match self {
            Scratch::Pooled(pieces) => (&pieces[number], 0),
            Scratch::Given(slice, starts) => (slice.buffer(), starts[number]),
        }
    }

    /// What is on loan from the pool.
    pub fn into_loan(self) -> Vec<Pooled> {
        match self {
            Scratch::Pooled(pieces) => pieces,
            Scratch::Given(..) => Vec::new(),
        }
    }
}
