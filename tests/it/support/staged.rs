//! A case's tensors on a device as an app has them: slices of larger buffers, at any offset, with others around them.

use surprisal::kernel::Slot;
use surprisal::{Bound, Buffers, GpuEngine, Pass, Plan, wgpu};
use wgpu::util::DeviceExt;

use super::case::Case;
use super::losses::has_teacher_gradient;

/// Words around slices, and words where results are due: NaN, so that reading them is found out too.
pub const GUARD: u32 = 0x7fc0_beef;
pub const POISON: u32 = 0x7fc0_dead;
const GUARD_WORDS: usize = 12;
const WORD: u64 = 4;

/// Where slices lie.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// All in one buffer.
    pub arena: bool,
    /// Words by which every slice starts after a multiple of 16 bytes.
    pub shift: usize,
    /// The gradient over the logits.
    pub in_place: bool,
}

pub const APART: Layout = Layout { arena: false, shift: 0, in_place: false };
pub const ARENA: Layout = Layout { arena: true, ..APART };

impl Layout {
    pub fn shift(self, shift: usize) -> Self {
        Layout { shift, ..self }
    }

    pub fn in_place(self) -> Self {
        Layout { in_place: true, ..self }
    }
}

/// The bits of a pass's results; the gradient without the padding between its rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bits {
    pub values: Vec<u32>,
    pub dlogits: Vec<u32>,
    pub dtargets: Vec<u32>,
    pub row_state: Vec<u32>,
}

/// A tensor and its place.
struct Tensor {
    slot: Slot,
    words: Vec<u32>,
    /// Which of its words the pass writes.
    written: Vec<bool>,
    buffer: usize,
    start: usize,
}

/// A buffer, and the words it held when it was made.
struct Page {
    words: Vec<u32>,
    buffer: wgpu::Buffer,
}

pub struct Staged<'a> {
    engine: &'a GpuEngine,
    name: String,
    case: &'a Case,
    layout: Layout,
    tensors: Vec<Tensor>,
    pages: Vec<Page>,
}

impl<'a> Staged<'a> {
    /// Uploads; `saved` is the row state for a backward pass.
    pub fn new(engine: &'a GpuEngine, case: &'a Case, pass: Pass, layout: Layout, saved: &[u32]) -> Self {
        let tensors = tensors(&plan(engine, case, pass), case, pass, layout, saved);
        Staged::placed(engine, case, layout, tensors, format!("{pass:?} of {}", case.name))
    }

    /// For a forward pass that nobody wants the state of.
    pub fn without_row_state(engine: &'a GpuEngine, case: &'a Case) -> Self {
        let mut tensors = tensors(&plan(engine, case, Pass::Forward), case, Pass::Forward, APART, &[]);
        tensors.retain(|tensor| tensor.slot != Slot::RowState);
        Staged::placed(engine, case, APART, tensors, format!("stateless forward of {}", case.name))
    }

    fn placed(engine: &'a GpuEngine, case: &'a Case, layout: Layout, mut tensors: Vec<Tensor>, name: String) -> Self {
        let pages = place(engine, &mut tensors, layout);
        let name = format!("{name} in {layout:?} on {}", engine.backend());
        Staged { engine, name, case, layout, tensors, pages }
    }

    fn slice(&self, tensor: &Tensor) -> wgpu::BufferSlice<'_> {
        let (start, len) = (tensor.start as u64 * WORD, tensor.words.len() as u64 * WORD);
        self.pages[tensor.buffer].buffer.slice(start..start + len)
    }

    fn given(&self, slot: Slot) -> Option<wgpu::BufferSlice<'_>> {
        self.tensors.iter().find(|tensor| tensor.slot == slot).map(|tensor| self.slice(tensor))
    }

    pub fn row_state(&self) -> wgpu::BufferSlice<'_> {
        self.given(Slot::RowState).unwrap_or_else(|| panic!("{}: no row state", self.name))
    }

    pub fn buffers(&self) -> Buffers<'_> {
        let mut buffers = Buffers::new(self.given(Slot::Logits).expect("there are logits"));
        for tensor in &self.tensors {
            let slice = self.slice(tensor);
            buffers = match tensor.slot {
                Slot::Targets => buffers.targets(slice),
                Slot::Weights => buffers.weights(slice, self.case.weights.as_ref().expect("weights").1),
                Slot::Dloss => buffers.dloss(slice),
                Slot::Divisor => buffers.divisor(slice),
                Slot::RowState => buffers.row_state(slice),
                Slot::Values => buffers.values(slice),
                Slot::Dlogits => buffers.dlogits(slice),
                Slot::Dtargets => buffers.dtargets(slice),
                _ => buffers,
            };
        }
        if self.layout.in_place { buffers.dlogits_in_place() } else { buffers }
    }

    /// Records with `record` and submits.
    pub fn submit(&self, record: impl FnOnce(&mut wgpu::CommandEncoder)) {
        let mut encoder = self.engine.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        record(&mut encoder);
        self.engine.queue().submit([encoder.finish()]);
    }

    /// Puts every word back to what it was when the buffers were made.
    pub fn reset(&self) {
        for page in &self.pages {
            self.engine.queue().write_buffer(&page.buffer, 0, bytemuck::cast_slice(&page.words));
        }
    }

    /// The results; fails if a word was written that is no result, or one was not that is.
    pub fn read(&self) -> Bits {
        let pages: Vec<_> = self.pages.iter().map(|page| download(self.engine, &page.buffer)).collect();
        self.check(&pages);
        let mut bits = Bits::default();
        for tensor in &self.tensors {
            let words = &pages[tensor.buffer][tensor.start..];
            let written = words.iter().zip(&tensor.written).filter(|(_, written)| **written);
            let result = match tensor.slot {
                Slot::Values => &mut bits.values,
                Slot::Logits | Slot::Dlogits => &mut bits.dlogits,
                Slot::Dtargets => &mut bits.dtargets,
                _ => &mut bits.row_state,
            };
            result.extend(written.map(|(word, _)| word));
        }
        bits
    }

    fn check(&self, pages: &[Vec<u32>]) {
        for (number, (page, found)) in self.pages.iter().zip(pages).enumerate() {
            let mut results = vec![false; found.len()];
            for tensor in self.tensors.iter().filter(|tensor| tensor.buffer == number) {
                results[tensor.start..][..tensor.words.len()].copy_from_slice(&tensor.written);
            }
            for (i, &is_result) in results.iter().enumerate() {
                let (was, is) = (page.words[i], found[i]);
                let fine = if is_result { is != POISON } else { is == was };
                assert!(
                    fine,
                    "{}: word {i} of buffer {number} was {was:#x}, is {is:#x}: {}",
                    self.name,
                    self.at(number, i)
                );
            }
        }
    }

    /// What lies nearest before a word, for the report.
    fn at(&self, buffer: usize, i: usize) -> String {
        let before = self.tensors.iter().filter(|tensor| tensor.buffer == buffer && tensor.start <= i);
        before.max_by_key(|tensor| tensor.start).map_or("before every slice".into(), |tensor| {
            format!("word {} from the start of {} of {}", i - tensor.start, tensor.slot.name(), tensor.words.len())
        })
    }
}

pub fn plan(engine: &GpuEngine, case: &Case, pass: Pass) -> Plan {
    engine.plan(&case.loss, pass, case.shape).unwrap_or_else(|error| panic!("{}: {error}", case.name))
}

pub fn bind(plan: &Plan, staged: &Staged<'_>) -> Bound {
    plan.bind(&staged.buffers()).unwrap_or_else(|error| panic!("{}: {error}", staged.name))
}

/// The results of one recording.
pub fn run(engine: &GpuEngine, case: &Case, pass: Pass, layout: Layout, saved: &[u32]) -> Bits {
    let staged = Staged::new(engine, case, pass, layout, saved);
    let bound = bind(&plan(engine, case, pass), &staged);
    staged.submit(|encoder| bound.record(encoder));
    staged.read()
}

/// The row state a forward pass saves, where there is one.
pub fn saved_state(engine: &GpuEngine, case: &Case, pass: Pass) -> Vec<u32> {
    match pass {
        Pass::Backward => run(engine, case, Pass::Forward, APART, &[]).row_state,
        _ => Vec::new(),
    }
}

/// Inputs as the case has them, and poisoned room for the results.
fn tensors(plan: &Plan, case: &Case, pass: Pass, layout: Layout, saved: &[u32]) -> Vec<Tensor> {
    let mut tensors = Vec::new();
    let mut add = |slot, words: Vec<u32>, written: Vec<bool>| {
        tensors.push(Tensor { slot, words, written, buffer: 0, start: 0 });
    };
    let mut input = |slot, words: Option<&[u32]>| {
        if let Some(words) = words {
            add(slot, words.to_vec(), vec![false; words.len()]);
        }
    };
    let labels = case.labels.as_deref().map(bytemuck::cast_slice);
    input(Slot::Targets, labels.or(case.values.as_deref().map(bytemuck::cast_slice)));
    input(Slot::Weights, case.weights.as_ref().map(|(weights, _)| bytemuck::cast_slice(weights)));
    input(Slot::Dloss, case.dloss.as_deref().map(bytemuck::cast_slice).filter(|_| pass != Pass::Forward));
    input(Slot::Divisor, case.divisor.as_ref().map(|d| bytemuck::cast_slice(std::slice::from_ref(d))));
    input(Slot::RowState, Some(saved).filter(|saved| pass == Pass::Backward && !saved.is_empty()));

    let shape = case.shape;
    let class = |len: usize, stride: usize| (0..len).map(|i| i % stride < shape.n_classes).collect::<Vec<_>>();
    let logits: Vec<u32> = bytemuck::cast_slice(&case.logits[..shape.logits_len()]).to_vec();
    let written = class(logits.len(), shape.logits_stride).iter().map(|&class| class && layout.in_place).collect();
    add(Slot::Logits, logits, written);
    if pass != Pass::Forward && !layout.in_place {
        let len = shape.dlogits_len();
        add(Slot::Dlogits, vec![POISON; len], class(len, shape.dlogits_stride));
    }
    if pass != Pass::Forward && has_teacher_gradient(&case.loss) {
        let len = shape.dtargets_len();
        add(Slot::Dtargets, vec![POISON; len], class(len, shape.dtargets_stride));
    }
    if pass != Pass::Backward {
        add(Slot::Values, vec![POISON; plan.values_len()], vec![true; plan.values_len()]);
    }
    if pass == Pass::Forward && plan.row_state_len() > 0 {
        add(Slot::RowState, vec![POISON; plan.row_state_len()], vec![true; plan.row_state_len()]);
    }
    tensors
}

/// Gives every tensor its place, with guards around it, and makes the buffers.
fn place(engine: &GpuEngine, tensors: &mut [Tensor], layout: Layout) -> Vec<Page> {
    let mut pages: Vec<Vec<u32>> = Vec::new();
    for tensor in tensors {
        if pages.is_empty() || !layout.arena {
            pages.push(Vec::new());
        }
        tensor.buffer = pages.len() - 1;
        let page = &mut pages[tensor.buffer];
        tensor.start = (page.len() + GUARD_WORDS).next_multiple_of(4) + layout.shift;
        page.resize(tensor.start, GUARD);
        page.extend(&tensor.words);
        page.extend([GUARD; GUARD_WORDS]);
    }
    pages.into_iter().map(|words| Page { buffer: upload(engine, &words), words }).collect()
}

fn upload(engine: &GpuEngine, words: &[u32]) -> wgpu::Buffer {
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
    let contents = bytemuck::cast_slice(words);
    engine.device().create_buffer_init(&wgpu::util::BufferInitDescriptor { label: Some("page"), contents, usage })
}

pub fn download(engine: &GpuEngine, buffer: &wgpu::Buffer) -> Vec<u32> {
    let (device, size) = (engine.device(), buffer.size());
    let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
    let descriptor = wgpu::BufferDescriptor { label: Some("readback"), size, usage, mapped_at_creation: false };
    let readback = device.create_buffer(&descriptor);
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    encoder.copy_buffer_to_buffer(buffer, 0, &readback, 0, size);
    engine.queue().submit([encoder.finish()]);
    readback.map_async(wgpu::MapMode::Read, .., |mapped| mapped.expect("a readback buffer maps"));
    device.poll(wgpu::PollType::wait_indefinitely()).expect("the device answers");
    let view = readback.get_mapped_range(..).expect("the buffer is mapped");
    bytemuck::cast_slice(&view).to_vec()
}
