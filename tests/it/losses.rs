//! Every loss on every kernel variant against the oracle.
mod full {
    mod options;
    mod sizes;
}

use std::sync::atomic::{AtomicUsize, Ordering};

use surprisal::reference::Evaluation;
use surprisal::{Engine, Error, GpuEngine, Inputs, Output, Pass};

use crate::support::case::Case;
use crate::support::compare::assert_matches;
use crate::support::device::{cpu, is_quick};

/// How an app comes by its gradient: in one pass, or in two.
const WAYS: [&[Pass]; 2] = [&[Pass::ForwardBackward], &[Pass::Forward, Pass::Backward]];

/// Every pass on the CPU and on these engines; in the quick proof a GPU goes one of the two [`WAYS`], the next case the
/// other.
pub fn check<'a>(engines: impl Iterator<Item = &'a (String, Engine)>, case: &Case) {
    check_ways(engines, case, ways_in_turn());
}

/// Every pass on the CPU and on these engines in any proof.
pub fn check_every_pass<'a>(engines: impl Iterator<Item = &'a (String, Engine)>, case: &Case) {
    check_ways(engines, case, &WAYS);
}

fn check_ways<'a>(engines: impl Iterator<Item = &'a (String, Engine)>, case: &Case, ways: &[&[Pass]]) {
    let oracles = Oracles::new(case);
    let check_engine = |(what, engine): &(String, Engine), ways| {
        let engine = engine.clone().policy(case.policy);
        let evaluate = |pass, inputs: Inputs<'_>| engine.evaluate(&case.loss, pass, case.shape, inputs);
        check_passes(what, case, &oracles, ways, evaluate);
    };
    check_engine(cpu(), &WAYS);
    engines.for_each(|engine| check_engine(engine, ways));
}

/// As [`check`], on an app's device alone.
pub fn check_gpu(engine: &GpuEngine, case: &Case) {
    let engine = engine.clone().policy(case.policy);
    let evaluate = |pass, inputs: Inputs<'_>| engine.begin(&case.loss, pass, case.shape, inputs)?.wait();
    check_passes(&engine.backend().to_string(), case, &Oracles::new(case), ways_in_turn(), evaluate);
}

/// Both ways, or in the quick proof the one whose turn it is. A way stays for as many cases as there are
/// [`engines`](crate::support::device::engines) at most: where these take turns too, each meets either way.
fn ways_in_turn() -> &'static [&'static [Pass]] {
    const CASES: usize = 4;
    static TURN: AtomicUsize = AtomicUsize::new(0);
    if !is_quick() {
        return &WAYS;
    }
    let way = TURN.fetch_add(1, Ordering::Relaxed) / CASES % WAYS.len();
    &WAYS[way..=way]
}

/// What the passes should give.
struct Oracles {
    forward: Evaluation,
    fused: Evaluation,
    backward: Evaluation,
}

impl Oracles {
    fn new(case: &Case) -> Oracles {
        let fused = case.evaluate(Pass::ForwardBackward);
        let mut backward = fused.clone();
        backward.values.clear();
        (backward.parts, backward.side) = (None, None);
        Oracles { forward: case.evaluate(Pass::Forward), fused, backward }
    }

    fn of(&self, pass: Pass) -> &Evaluation {
        match pass {
            Pass::Forward => &self.forward,
            Pass::ForwardBackward => &self.fused,
            Pass::Backward => &self.backward,
        }
    }
}

/// A backward pass begins from what the forward pass before it saved.
fn check_passes(
    what: &str,
    case: &Case,
    oracles: &Oracles,
    ways: &[&[Pass]],
    evaluate: impl Fn(Pass, Inputs<'_>) -> Result<Output, Error>,
) {
    let mut saved = None;
    for &pass in ways.concat().iter() {
        let what = format!("{what}: {}: {pass:?}", case.name);
        let mut inputs = case.inputs();
        inputs.dloss = inputs.dloss.filter(|_| pass != Pass::Forward);
        inputs.row_state = saved.as_deref().filter(|_| pass == Pass::Backward);
        let output = evaluate(pass, inputs).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_matches(&what, case, &output, oracles.of(pass));
        saved = saved.or(output.row_state);
    }
}
