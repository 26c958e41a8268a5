//! One device, many threads.

use std::thread;

use surprisal::Pass;

use crate::support::cases::{Batch, representative_cases};
use crate::support::device::gpus;
use crate::support::staged::{APART, Staged, bind, plan, run};

const THREADS: usize = 8;
const ROUNDS: usize = 6;

/// Each thread goes through the losses from another one on, so that pipelines, pool and queue are wanted by several at
/// once, and its calls on host slices resolve while others poll.
#[test]
fn threads_that_share_an_engine_get_the_bits_of_one_alone() {
    let fused = Pass::ForwardBackward;
    // As many as the threads get through.
    let cases: Vec<_> =
        representative_cases(Batch::new(67, 6), 1).into_iter().step_by(4).take(THREADS + ROUNDS).collect();
    for engine in gpus() {
        let expected: Vec<_> = cases.iter().map(|case| run(engine, case, fused, APART, &[])).collect();
        let work = |thread: usize| {
            for round in 0..ROUNDS {
                let i = (thread + round) % cases.len();
                let case = &cases[i];
                let staged = Staged::new(engine, case, fused, APART, &[]);
                let bound = bind(&plan(engine, case, fused), &staged);
                staged.submit(|encoder| bound.record(encoder));
                let pending = engine.begin(&case.loss, fused, case.shape, case.inputs());
                let output = pending.and_then(|pending| pending.wait());
                let output = output.unwrap_or_else(|error| panic!("{}: {error}", case.name));
                assert_eq!(staged.read(), expected[i], "{}", case.name);
                let dlogits: Vec<_> = output.dlogits.expect("asked for").iter().map(|d| d.to_bits()).collect();
                assert_eq!(dlogits, expected[i].dlogits, "{}", case.name);
            }
        };
        thread::scope(|scope| {
            for thread in 0..THREADS {
                let work = &work;
                scope.spawn(move || work(thread));
            }
        });
    }
}
