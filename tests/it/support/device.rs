use std::sync::OnceLock;

use surprisal::kernel::Variant;
use surprisal::{Engine, Options};

/// The engines under test, one per kernel variant the adapter has, with run-time checks off and on.
///
/// Without an adapter there are none, which a skipped test says out loud; with `SURPRISAL_REQUIRE_GPU=1` that is a
/// failure.
pub fn engines() -> &'static [(String, Engine)] {
    static ENGINES: OnceLock<Vec<(String, Engine)>> = OnceLock::new();
    ENGINES.get_or_init(|| {
        let mut engines = Vec::new();
        for variant in [Variant::Workgroup, Variant::Subgroup] {
            for checked in [false, true] {
                let options = Options::default().variant(variant).checked(checked);
                if let Some(engine) = open(options) {
                    engines.push((format!("{variant:?}, checks {checked}"), engine));
                }
            }
        }
        let required = std::env::var("SURPRISAL_REQUIRE_GPU").is_ok_and(|value| value == "1");
        assert!(!(required && engines.is_empty()), "SURPRISAL_REQUIRE_GPU=1, but no GPU adapter was found");
        match engines.first() {
            Some((_, engine)) => println!("testing on {}", engine.backend()),
            None => println!("SKIPPED: no GPU adapter; only the CPU engine is tested"),
        }
        engines
    })
}

/// The adapter that `SURPRISAL_ADAPTER` asks for, or a real GPU, or a software adapter.
fn open(options: Options) -> Option<Engine> {
    let words = std::env::var("SURPRISAL_ADAPTER").ok();
    let attempts = match words {
        Some(words) => vec![options.adapter(words)],
        None => vec![options.clone(), options.adapter("software")],
    };
    attempts.into_iter().find_map(|options| {
        let engine = pollster::block_on(Engine::request(options)).ok()?;
        engine.gpu().is_some().then_some(engine)
    })
}
