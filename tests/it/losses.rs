//! Every loss, with every option that changes a kernel, on every kernel variant, against the oracle.

use surprisal::{Engine, Pass};

use crate::support::case::Case;
use crate::support::compare::assert_matches;
use crate::support::device::engines;
use crate::support::losses::{all, cases, padded, with_random_dloss};

#[test]
fn every_loss_matches_the_oracle() {
    for (what, engine) in engines() {
        for case in cases(&all()) {
            check(engine, what, &case);
        }
    }
}

#[test]
fn every_loss_matches_the_oracle_in_padded_rows_with_upstream_gradient() {
    for (what, engine) in engines() {
        for case in cases(&all()) {
            check(engine, what, &padded(&with_random_dloss(&case)));
        }
    }
}

/// Forward, forward + backward, and backward from the state that forward saved.
fn check(engine: &Engine, what: &str, case: &Case) {
    let mut saved = None;
    for pass in [Pass::Forward, Pass::ForwardBackward, Pass::Backward] {
        let what = format!("{what}: {}: {pass:?}", case.name);
        let mut inputs = case.inputs();
        inputs.dloss = inputs.dloss.filter(|_| pass != Pass::Forward);
        inputs.row_state = saved.as_deref().filter(|_| pass == Pass::Backward);
        let output = engine.evaluate(&case.loss, pass, case.shape, inputs);
        let output = output.unwrap_or_else(|error| panic!("{what}: {error}"));
        let mut oracle = case.evaluate(if pass == Pass::Forward { pass } else { Pass::ForwardBackward });
        if pass == Pass::Backward {
            oracle.values.clear();
        }
        assert_matches(&what, case.shape, &output, &oracle);
        saved = saved.or(output.row_state);
    }
}
