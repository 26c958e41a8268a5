//! Recording costs what the same wgpu calls cost: not an allocation more on the heap, and nothing made on the device.
//! The CPU engine writes into an output's memory. A binary of its own, since it counts what the whole process allocates.

#[path = "../benches/overhead/bare.rs"]
mod bare;
#[path = "../benches/support/device.rs"]
mod device;
#[path = "../benches/overhead/tensors.rs"]
mod tensors;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use surprisal::{CrossEntropy, Engine, GpuEngine, Inputs, Output, Pass, Shape, wgpu};

use bare::Bare;
use tensors::{REDUCTIONS, Tensors};

/// The system's allocator, counting.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);

// SAFETY: the system's allocator does all of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps to the same contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        BYTES.fetch_add(size, Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Buffers, bind groups and pipelines on the device.
fn made(engine: &GpuEngine) -> [isize; 3] {
    let counters = engine.device().get_internal_counters().hal;
    [counters.buffers.read(), counters.bind_groups.read(), counters.compute_pipelines.read()]
}

/// The fewest allocations that one of several recordings into a fresh encoder takes, from its start to its end: wgpu
/// reuses what earlier ones allocated.
fn allocations(engine: &GpuEngine, record: impl Fn(&mut wgpu::CommandEncoder)) -> usize {
    let count = |_| {
        let mut encoder = engine.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        let before = ALLOCATIONS.load(Ordering::Relaxed);
        record(&mut encoder);
        let commands = encoder.finish();
        let after = ALLOCATIONS.load(Ordering::Relaxed);
        drop(commands);
        after - before
    };
    (0..16).map(count).min().expect("there are sixteen")
}

/// One test, so that no other allocates meanwhile.
#[test]
fn calls_allocate_nothing_of_their_own() {
    a_second_evaluation_on_the_cpu_allocates_nothing();
    recording_allocates_and_makes_nothing_of_its_own();
}

/// Threads keep what they need, and results go where an output has room. A pool's queue takes a block now and then:
/// one of sixteen calls does without.
fn a_second_evaluation_on_the_cpu_allocates_nothing() {
    let (engine, loss, mut output) = (Engine::cpu(), CrossEntropy::new(), Output::default());
    let (logits, labels) = (vec![0.5; 64_000_000 / 4], vec![1; 16_000]);
    let mut bytes_of = |n_rows: usize| {
        let shape = Shape::new(n_rows, 1000);
        let inputs = Inputs::new(&logits[..n_rows * 1000]).targets(&labels[..n_rows]);
        let count = |_| {
            let before = BYTES.load(Ordering::Relaxed);
            engine.evaluate_into(&loss, Pass::ForwardBackward, shape, inputs, &mut output).expect("a sound call");
            BYTES.load(Ordering::Relaxed) - before
        };
        (0..16).map(count).min().expect("there are sixteen")
    };
    let (few, many) = (bytes_of(16), bytes_of(16_000));
    println!("evaluate_into: {few} bytes for 16 rows, {many} for 16000");
    assert_eq!((few, many), (0, 0));
}

fn recording_allocates_and_makes_nothing_of_its_own() {
    let Some(engine) = device::open() else { return };
    let tensors = Tensors::new(engine.device());
    for (name, reduction, dispatches) in REDUCTIONS {
        let bare = Bare::new(engine.device(), dispatches);
        let bind_groups = bare.bind(engine.device(), &tensors);
        let bound = tensors.bind(&engine, reduction);
        let before = made(&engine);
        assert!(before.iter().all(|&count| count > 0), "wgpu counts: {before:?}");
        let ours = allocations(&engine, |encoder| bound.record(encoder));
        let theirs = allocations(&engine, |encoder| bare.record(&bind_groups, encoder));
        println!("{name}: {ours} allocations, {theirs} by the bare calls");
        assert!(theirs > 0, "the allocator counts");
        assert!(ours <= theirs, "{name}: {ours} allocations, {theirs} by the bare calls");
        assert_eq!(made(&engine), before, "{name}: buffers, bind groups, pipelines");
    }
}
