//! A device that is destroyed is an error, in every call from then on, and never a panic or a wait without end.

use surprisal::{CrossEntropy, Error, GpuEngine, Output, Pass};

use crate::support::case::Case;
use crate::support::cases::{Batch, random_case};
use crate::support::device::{engines, with_limits};

fn evaluate(engine: &GpuEngine, case: &Case) -> Result<Output, Error> {
    engine.evaluate(&case.loss, Pass::ForwardBackward, case.shape, case.inputs())
}

#[test]
fn a_device_destroyed_before_and_between_calls_is_an_error() {
    let case = random_case(CrossEntropy::new().into(), Batch::new(50, 7));
    for used_before in [false, true] {
        for engine in with_limits(|_| {}) {
            if used_before {
                evaluate(&engine, &case).expect("the device is there");
            }
            engine.device().destroy();
            let lost = evaluate(&engine, &case);
            assert!(matches!(lost, Err(Error::DeviceLost { .. } | Error::Wgpu { .. })), "{lost:?}");
        }
    }
}

/// What was under way ends with the device, one way or the other.
#[test]
fn a_device_destroyed_under_way_ends_the_wait() {
    let case = random_case(CrossEntropy::new().into(), Batch::new(2000, 301));
    for engine in with_limits(|_| {}) {
        let begun = engine.begin(&case.loss, Pass::ForwardBackward, case.shape, case.inputs());
        let pending = begun.expect("the device is there");
        engine.device().destroy();
        if let Err(error) = pending.wait() {
            assert!(matches!(error, Error::DeviceLost { .. } | Error::Wgpu { .. }), "{error:?}");
        }
        let lost = evaluate(&engine, &case);
        assert!(lost.is_err(), "{lost:?}");
    }
    // Other devices go on.
    for (name, engine) in engines() {
        let output =
            engine.evaluate(&case.loss, Pass::Forward, case.shape, Case { dloss: None, ..case.clone() }.inputs());
        assert!(output.is_ok(), "{name}: {output:?}");
    }
}
