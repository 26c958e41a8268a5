use surprisal::wgpu::{self, BufferUsages};
use surprisal::{Bound, Buffers, CrossEntropy, GpuEngine, Pass, Plan, Reduction, Shape};

const SHAPE: Shape = Shape::new(64, 1000);

/// Those of a cross-entropy, never read, never written: nothing recorded with them is submitted.
pub struct Tensors {
    pub logits: wgpu::Buffer,
    pub labels: wgpu::Buffer,
    pub values: wgpu::Buffer,
    pub dlogits: wgpu::Buffer,
}

impl Tensors {
    pub fn new(device: &wgpu::Device) -> Tensors {
        let words = |label, n: usize| {
            let (size, usage) = (n as u64 * 4, BufferUsages::STORAGE);
            device.create_buffer(&wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false })
        };
        Tensors {
            logits: words("logits", SHAPE.logits_len()),
            labels: words("labels", SHAPE.n_rows),
            values: words("values", SHAPE.n_rows),
            dlogits: words("dlogits", SHAPE.dlogits_len()),
        }
    }

    pub fn buffers(&self) -> Buffers<'_> {
        let Tensors { logits, labels, values, dlogits } = self;
        let buffers = Buffers::new(logits.slice(..)).targets(labels.slice(..)).values(values.slice(..));
        buffers.dlogits(dlogits.slice(..))
    }

    pub fn bind(&self, engine: &GpuEngine, reduction: Reduction) -> Bound {
        plan(engine, reduction).bind(&self.buffers()).expect("the tensors are of this shape")
    }
}

/// Loss and gradient: one dispatch by row, two for a sum, three for a mean over the labels that are not ignored.
pub fn plan(engine: &GpuEngine, reduction: Reduction) -> Plan {
    let loss = CrossEntropy::new().ignore_index(-100).reduction(reduction);
    engine.plan(loss, Pass::ForwardBackward, SHAPE).expect("labels below the number of classes")
}

/// What is bound, and the dispatches it takes.
pub const REDUCTIONS: [(&str, Reduction, usize); 3] =
    [("row_losses", Reduction::None, 1), ("sum", Reduction::Sum, 2), ("mean", Reduction::Mean, 3)];
