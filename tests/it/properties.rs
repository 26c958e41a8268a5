//! What holds on every engine, whatever the numbers.
mod bits;
mod corners;
mod distillation;
mod every_loss;
mod functions;
mod identities;
mod masked_target;
mod policy;
mod pytorch_corners;
mod side;
mod subgroups;
mod top_k;
mod values;

use surprisal::{Engine, Output, Pass};

use crate::support::case::Case;

fn evaluate(engine: &Engine, case: &Case, pass: Pass) -> Output {
    let mut inputs = case.inputs();
    inputs.dloss = inputs.dloss.filter(|_| pass != Pass::Forward);
    let output = engine.evaluate(&case.loss, pass, case.shape, inputs);
    output.unwrap_or_else(|error| panic!("{pass:?} of {}: {error}", case.name))
}
