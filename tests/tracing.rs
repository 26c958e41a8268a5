//! What an app's `tracing` sees of a call.

use std::sync::{Arc, Mutex};

use surprisal::{CrossEntropy, GpuEngine, Inputs, Options, Pass, Shape, wgpu};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Names and fields of the spans opened, in their order.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0 += &format!(" {field}={value:?}");
    }
}

impl Subscriber for Seen {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("surprisal")
    }
    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let mut fields = Fields(attributes.metadata().name().to_string());
        attributes.record(&mut fields);
        let mut seen = self.0.lock().expect("no test panics with it");
        seen.push(fields.0);
        Id::from_u64(seen.len() as u64)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// On wgpu's device without a driver.
#[test]
fn calls_bindings_and_pipelines_are_spans() {
    let (device, queue) = wgpu::Device::noop(&wgpu::DeviceDescriptor::default());
    let engine = GpuEngine::with_options(&device, &queue, Options::default()).expect("the defaults suffice");
    let seen = Seen::default();
    tracing::subscriber::with_default(seen.clone(), || {
        let (logits, labels) = ([2.0, 1.0, 0.1], [0]);
        let inputs = Inputs::new(&logits).targets(&labels);
        engine.begin(CrossEntropy::new(), Pass::ForwardBackward, Shape::new(1, 3), inputs).expect("it is sound");
    });
    let seen = seen.0.lock().expect("no test panics with it");
    let expected = [
        "surprisal::begin loss=cross_entropy",
        "surprisal::bind loss=cross_entropy",
        "surprisal::make_pipeline kernel=cross_entropy/forward_backward/workgroup/f32/kept1",
        "surprisal::make_pipeline kernel=values/sum/workgroup/f32",
    ];
    assert_eq!(*seen, expected);
}
