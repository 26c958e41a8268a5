//! Pipelines made before they are needed.

use surprisal::kernel::Variant;
use surprisal::{Loss, Pass};

use super::noop;
use crate::support::case::Case;
use crate::support::cases::{Batch, representative_cases};
use crate::support::staged::{APART, Staged, bind, plan};

/// Without the slices that may be left out.
fn cases() -> Vec<Case> {
    let plain = |case: Case| {
        let needs_dloss = matches!(case.loss, Loss::LogSoftmax | Loss::Softmax);
        Case { dloss: case.dloss.filter(|_| needs_dloss), weights: None, ..case }
    };
    representative_cases(Batch::new(70, 8), 1).into_iter().map(plain).collect()
}

#[test]
fn a_warm_plan_binds_without_making_a_pipeline() {
    for engine in [Variant::Workgroup, Variant::Subgroup].map(noop) {
        for case in cases() {
            for pass in [Pass::Forward, Pass::ForwardBackward, Pass::Backward] {
                let plan = plan(&engine, &case, pass);
                plan.warm().unwrap_or_else(|error| panic!("{}: {error}", case.name));
                let warm = engine.pipelines();
                assert!(warm > 0, "there are some by now");
                let saved = vec![0; if pass == Pass::Backward { plan.row_state_len() } else { 0 }];
                bind(&plan, &Staged::new(&engine, &case, pass, APART, &saved));
                assert_eq!(engine.pipelines(), warm, "{pass:?} of {}", case.name);
            }
        }
    }
}
