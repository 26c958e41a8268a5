//! Pipelines found where an earlier run left them, and how many an app waits for.

use surprisal::{CrossEntropy, Engine, Error, GpuEngine, Loss, Options, Pass, Reduction, Side, SoftmaxFocal, wgpu};

use crate::support::cases::{Batch, random_case};
use crate::support::device::{gpus_with, pair_of_devices, with_limits};

/// What a driver stores is its own affair, and lavapipe's of 22.3 is nothing; that wgpu gets the cache shows where it
/// is one of another device.
#[test]
fn pipelines_go_through_the_apps_cache() {
    let case = random_case(CrossEntropy::new().into(), Batch::new(5, 7));
    for engine in gpus_with(wgpu::Features::PIPELINE_CACHE) {
        let [one, other] = pair_of_devices(engine);
        let descriptor = wgpu::PipelineCacheDescriptor { label: None, data: None, fallback: true };
        // SAFETY: there is no data that could be of another making.
        let cache = unsafe { one.0.create_pipeline_cache(&descriptor) };
        let evaluate = |(device, queue): &(wgpu::Device, wgpu::Queue)| {
            let options = Options::default().pipeline_cache(cache.clone());
            let cached = GpuEngine::with_options(device, queue, options).expect("the device suffices");
            cached.evaluate(&case.loss, Pass::Forward, case.shape, case.inputs())
        };
        evaluate(&one).expect("the cache is of this device");
        let foreign = evaluate(&other);
        assert!(matches!(foreign, Err(Error::Wgpu { what: "a pipeline", .. })), "{foreign:?}");
        let own = pollster::block_on(Engine::request(Options::default().pipeline_cache(cache.clone())));
        assert_eq!(own.err(), Some(Error::ForeignCache));
    }
}

/// The three calls of the README, one after the other on one engine, and the pipelines that each adds. Short rows have
/// workgroups of their own size on a software adapter, hence a sum of their own.
#[test]
fn the_calls_of_the_readme_make_few_pipelines() {
    let perplexity = CrossEntropy::new().reduction(Reduction::None).side(Side::new().log_prob().top_1().mean());
    let calls: [(&str, Loss, Pass, Batch, usize, usize); 3] = [
        (
            "host slices",
            CrossEntropy::new().label_smoothing(0.1).into(),
            Pass::ForwardBackward,
            Batch::new(2, 3),
            BEFORE[0],
            2,
        ),
        ("training", SoftmaxFocal::new(2.0).into(), Pass::ForwardBackward, Batch::new(64, 1000), BEFORE[1], 2),
        ("perplexity", perplexity.into(), Pass::Forward, Batch::new(2, 4), BEFORE[2], 1),
    ];
    for engine in with_limits(|_| {}).iter().take(1) {
        let mut made = 0;
        for (name, loss, pass, batch, before, expected) in calls.clone() {
            let case = random_case(loss, batch);
            engine
                .evaluate(&case.loss, pass, case.shape, case.inputs())
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let new = engine.pipelines() - made;
            made += new;
            println!("{name}: {new} pipelines, {before} before 2026-12");
            assert!(new <= expected, "{name}: {new} pipelines");
        }
    }
}

/// When per-row choices made pipelines of their own (6354794).
const BEFORE: [usize; 3] = [2, 2, 2];
