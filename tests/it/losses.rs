//! Every loss on every kernel variant against the oracle.
mod full {
    mod options;
    mod sizes;
}

use surprisal::reference::Evaluation;
use surprisal::{Engine, Error, GpuEngine, Inputs, Output, Pass};

use crate::support::case::Case;
use crate::support::compare::assert_matches;
use crate::support::device::cpu;

/// Forward, forward + backward, and backward from the state that forward saved, on the CPU and on these engines.
pub fn check<'a>(engines: impl Iterator<Item = &'a (String, Engine)>, case: &Case) {
    let oracles = oracles(case);
    let check_engine = |what: &str, engine: Engine| {
        let engine = engine.policy(case.policy);
        check_passes(what, case, &oracles, |pass, inputs| engine.evaluate(&case.loss, pass, case.shape, inputs));
    };
    std::iter::once(cpu()).chain(engines).for_each(|(what, engine)| check_engine(what, engine.clone()));
}

/// The same on an app's device.
pub fn check_gpu(engine: &GpuEngine, case: &Case) {
    let engine = engine.clone().policy(case.policy);
    let evaluate = |pass, inputs: Inputs<'_>| engine.begin(&case.loss, pass, case.shape, inputs)?.wait();
    check_passes(&engine.backend().to_string(), case, &oracles(case), evaluate);
}

fn oracles(case: &Case) -> [(Pass, Evaluation); 3] {
    let fused = case.evaluate(Pass::ForwardBackward);
    let mut backward = fused.clone();
    backward.values.clear();
    (backward.parts, backward.side) = (None, None);
    [(Pass::Forward, case.evaluate(Pass::Forward)), (Pass::ForwardBackward, fused), (Pass::Backward, backward)]
}

fn check_passes(
    what: &str,
    case: &Case,
    oracles: &[(Pass, Evaluation)],
    evaluate: impl Fn(Pass, Inputs<'_>) -> Result<Output, Error>,
) {
    let mut saved = None;
    for (pass, oracle) in oracles {
        let what = format!("{what}: {}: {pass:?}", case.name);
        let mut inputs = case.inputs();
        inputs.dloss = inputs.dloss.filter(|_| *pass != Pass::Forward);
        inputs.row_state = saved.as_deref().filter(|_| *pass == Pass::Backward);
        let output = evaluate(*pass, inputs).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_matches(&what, case, &output, oracle);
        saved = saved.or(output.row_state);
    }
}
