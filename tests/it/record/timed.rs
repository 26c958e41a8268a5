//! Each dispatch between two of the device's timestamps.

use surprisal::{CrossEntropy, Pass, wgpu};

use crate::support::cases::{Batch, random_case};
use crate::support::device::gpus_with;
use crate::support::staged::{APART, Staged, bind, download, plan, run};

#[test]
fn a_timed_recording_has_the_same_bits_and_a_time_for_each_dispatch() {
    let case = random_case(CrossEntropy::new().ignore_index(-100).into(), Batch::new(300, 301));
    let fused = Pass::ForwardBackward;
    for engine in gpus_with(wgpu::Features::TIMESTAMP_QUERY) {
        let staged = Staged::new(engine, &case, fused, APART, &[]);
        let bound = bind(&plan(engine, &case, fused), &staged);
        assert_eq!(bound.n_dispatches(), 3, "count, rows, sum");
        // The first timestamp is somebody else's.
        let count = 1 + 2 * bound.n_dispatches() as u32;
        let ty = wgpu::QueryType::Timestamp;
        let set = engine.device().create_query_set(&wgpu::QuerySetDescriptor { label: None, ty, count });
        let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        let size = u64::from(count) * 8;
        let descriptor = wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false };
        let resolved = engine.device().create_buffer(&descriptor);
        staged.submit(|encoder| {
            bound.record_timed(encoder, &set, 1);
            encoder.resolve_query_set(&set, 1..count, &resolved, 0);
        });
        assert_eq!(staged.read(), run(engine, &case, fused, APART, &[]));
        let words = download(engine, &resolved);
        let ticks: Vec<_> = words.chunks(2).map(|word| u64::from(word[1]) << 32 | u64::from(word[0])).collect();
        let (times, rest) = ticks.split_at(count as usize - 1);
        assert!(times[0] > 0 && times.is_sorted(), "{times:?}");
        assert_eq!(rest, [0], "only what was asked for");
    }
}
