use surprisal::{Engine, GpuEngine};

/// The engine to be timed, announced. Without a GPU there is nothing to time, which is said; with
/// `SURPRISAL_REQUIRE_GPU=1` it is a failure.
pub fn open() -> Option<GpuEngine> {
    let engine = Engine::new().unwrap_or_else(|error| panic!("{error}"));
    println!("on {}", engine.backend());
    if engine.gpu().is_none() {
        let required = std::env::var("SURPRISAL_REQUIRE_GPU").is_ok_and(|value| value == "1");
        assert!(!required, "SURPRISAL_REQUIRE_GPU=1, but no GPU adapter was found");
        println!("SKIPPED: no GPU; SURPRISAL_ADAPTER=software takes a software adapter");
    }
    engine.gpu().cloned()
}
