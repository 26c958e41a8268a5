//! A case's tensors on a device as an app has them: slices of larger buffers, at any offset, with others around them.

use surprisal::kernel::Slot;
use surprisal::{Bound, Buffers, GpuEngine, Labels, Numbers, Pass, Plan, Storage, Targets, wgpu};
use wgpu::util::DeviceExt;

use super::case::Case;
use super::spec::has_teacher_gradient;

/// Words around slices, and words where results are due: NaN, so that reading them is found out too.
pub const GUARD: u32 = 0x7fc0_beef;
pub const POISON: u32 = 0x7fc0_dead;
const GUARD_BYTES: usize = 48;
const WORD: usize = 4;

/// Where slices lie.
#[derive(Clone, Copy, Debug)]
pub struct Layout {
    /// All in one buffer.
    pub arena: bool,
    /// Words by which every slice starts after a multiple of 16 bytes.
    pub shift: usize,
    /// The gradient over the logits.
    pub in_place: bool,
    /// 16-bit numbers start in the middle of a word.
    pub odd: bool,
    /// No guard between the slices of a buffer: 16-bit numbers of one may share a word with those of the next.
    pub tight: bool,
}

pub const APART: Layout = Layout { arena: false, shift: 0, in_place: false, odd: false, tight: false };
pub const ARENA: Layout = Layout { arena: true, ..APART };

impl Layout {
    pub fn shift(self, shift: usize) -> Self {
        Layout { shift, ..self }
    }

    pub fn in_place(self) -> Self {
        Layout { in_place: true, ..self }
    }

    pub fn odd(self) -> Self {
        Layout { odd: true, ..self }
    }

    pub fn tight(self) -> Self {
        Layout { tight: true, ..self }
    }
}

/// The bits of a pass's results, one number each; the gradient without the padding between its rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bits {
    pub values: Vec<u32>,
    pub dlogits: Vec<u32>,
    pub dtargets: Vec<u32>,
    pub row_state: Vec<u32>,
    pub side: Vec<u32>,
}

/// A tensor and its place.
struct Tensor {
    slot: Slot,
    bytes: Vec<u8>,
    /// Bytes of one element.
    element: usize,
    /// Which of its elements the pass writes.
    written: Vec<bool>,
    buffer: usize,
    /// In bytes.
    start: usize,
}

/// A buffer, and the bytes it held when it was made.
struct Page {
    bytes: Vec<u8>,
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
        let (start, len) = (tensor.start as u64, tensor.bytes.len() as u64);
        self.pages[tensor.buffer].buffer.slice(start..start + len)
    }

    fn given(&self, slot: Slot) -> Option<wgpu::BufferSlice<'_>> {
        self.tensors.iter().find(|tensor| tensor.slot == slot).map(|tensor| self.slice(tensor))
    }

    pub fn logits(&self) -> wgpu::BufferSlice<'_> {
        self.given(Slot::Logits).expect("there are logits")
    }

    pub fn row_state(&self) -> wgpu::BufferSlice<'_> {
        self.given(Slot::RowState).unwrap_or_else(|| panic!("{}: no row state", self.name))
    }

    pub fn buffers(&self) -> Buffers<'_> {
        let mut buffers = Buffers::new(self.logits());
        for tensor in &self.tensors {
            let slice = self.slice(tensor);
            buffers = match tensor.slot {
                Slot::Targets => buffers.targets(slice),
                Slot::TargetProbs => buffers.target_probs(slice),
                Slot::Weights => buffers.weights(slice, self.case.weights.as_ref().expect("weights").1),
                Slot::RowWeights => buffers.row_weights(slice),
                Slot::Side => buffers.side(slice),
                Slot::Dloss => buffers.dloss(slice),
                Slot::Divisor => buffers.divisor(slice),
                Slot::RowState => buffers.row_state(slice),
                Slot::Values => buffers.values(slice),
                Slot::Dlogits => buffers.dlogits(slice),
                Slot::Dtargets => buffers.dtargets(slice),
                Slot::Teacher => buffers.teacher(slice),
                Slot::TeacherIds => buffers.teacher_ids(slice),
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

    /// Puts every byte back to what it was when the buffers were made.
    pub fn reset(&self) {
        for page in &self.pages {
            self.engine.queue().write_buffer(&page.buffer, 0, &page.bytes);
        }
    }

    /// The results; fails if a byte was written that is no result, or one was not that is.
    pub fn read(&self) -> Bits {
        let download = |page: &Page| bytemuck::pod_collect_to_vec(&download(self.engine, &page.buffer));
        let pages: Vec<Vec<u8>> = self.pages.iter().map(download).collect();
        self.check(&pages);
        let mut bits = Bits::default();
        for tensor in &self.tensors {
            let elements = pages[tensor.buffer][tensor.start..].chunks(tensor.element);
            let written = elements.zip(&tensor.written).filter(|(_, written)| **written);
            let result = match tensor.slot {
                Slot::Values => &mut bits.values,
                Slot::Logits | Slot::Dlogits => &mut bits.dlogits,
                Slot::Side => &mut bits.side,
                Slot::Dtargets => &mut bits.dtargets,
                _ => &mut bits.row_state,
            };
            result.extend(written.map(|(element, _)| bits_of(element)));
        }
        bits
    }

    fn check(&self, pages: &[Vec<u8>]) {
        for (number, (page, found)) in self.pages.iter().zip(pages).enumerate() {
            let mut results = vec![false; found.len()];
            for tensor in self.tensors.iter().filter(|tensor| tensor.buffer == number) {
                let places = (tensor.start..).step_by(tensor.element);
                for (i, _) in places.zip(&tensor.written).filter(|(_, written)| **written) {
                    results[i..][..tensor.element].fill(true);
                    let left_alone = found[i..][..tensor.element] == POISON.to_le_bytes()[..tensor.element];
                    assert!(!left_alone, "{}: byte {i} of buffer {number}: {}", self.name, self.at(number, i));
                }
            }
            for (i, (was, is)) in page.bytes.iter().zip(found).enumerate().filter(|(i, _)| !results[*i]) {
                let at = || self.at(number, i);
                assert!(was == is, "{}: byte {i} of buffer {number} was {was:#x}, is {is:#x}: {}", self.name, at());
            }
        }
    }

    /// What lies nearest before a byte, for the report.
    fn at(&self, buffer: usize, i: usize) -> String {
        let before = self.tensors.iter().filter(|tensor| tensor.buffer == buffer && tensor.start <= i);
        before.max_by_key(|tensor| tensor.start).map_or("before every slice".into(), |tensor| {
            let Tensor { start, element, ref written, slot, .. } = *tensor;
            format!("element {} from the start of {} of {}", (i - start) / element, slot.name(), written.len())
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

/// The results of one recording with scratch memory of the caller's, as much as the plan says that it takes; fails if a
/// byte beside it was written.
pub fn run_with_scratch(engine: &GpuEngine, case: &Case, pass: Pass, saved: &[u32]) -> Bits {
    const GUARD_WORDS: usize = 64;
    let (plan, staged) = (plan(engine, case, pass), Staged::new(engine, case, pass, APART, saved));
    let needed =
        plan.describe(&staged.buffers()).unwrap_or_else(|error| panic!("{}: {error}", staged.name)).scratch_bytes;
    let words = needed as usize / WORD;
    let page = vec![GUARD; words + 2 * GUARD_WORDS];
    let (buffer, start) = (upload(engine, bytemuck::cast_slice(&page)), (GUARD_WORDS * WORD) as u64);
    let bound = plan.bind(&staged.buffers().scratch(buffer.slice(start..start + needed.max(WORD as u64))));
    let bound = bound.unwrap_or_else(|error| panic!("{}: {error}", staged.name));
    staged.submit(|encoder| bound.record(encoder));
    let found = download(engine, &buffer);
    let guards = found[..GUARD_WORDS].iter().chain(&found[GUARD_WORDS + words..]);
    assert!(guards.into_iter().all(|&word| word == GUARD), "{}: wrote beyond {needed} bytes of scratch", staged.name);
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
    let mut add = |slot, bytes: Vec<u8>, written: Vec<bool>| {
        let element = bytes.len() / written.len();
        tensors.push(Tensor { slot, bytes, element, written, buffer: 0, start: 0 });
    };
    let mut input = |slot, bytes: Vec<u8>, len| {
        if len > 0 {
            add(slot, bytes, vec![false; len]);
        }
    };
    let inputs = case.inputs();
    match inputs.targets {
        Targets::None => {}
        Targets::ClassIndex(labels) => input(Slot::Targets, label_bytes(labels), labels.len()),
        Targets::Values(values) => input(Slot::Targets, bytes(values), values.len()),
    }
    if let Some(teacher) = inputs.teacher {
        input(Slot::Teacher, bytes(teacher), teacher.len());
    }
    if let Some(ids) = inputs.teacher_ids {
        input(Slot::TeacherIds, label_bytes(ids), ids.len());
    }
    if let Some(probs) = inputs.target_probs {
        input(Slot::TargetProbs, bytes(probs), probs.len());
    }
    let mut floats = |slot, numbers: &[f32]| input(slot, bytes(numbers.into()), numbers.len());
    floats(Slot::Weights, inputs.weights.map_or(&[], |(weights, _)| weights));
    floats(Slot::RowWeights, inputs.row_weights.unwrap_or_default());
    floats(Slot::Divisor, inputs.divisor.as_slice());
    if pass == Pass::Backward {
        floats(Slot::RowState, bytemuck::cast_slice(saved));
    }
    if let Some(dloss) = inputs.dloss.filter(|_| pass != Pass::Forward) {
        input(Slot::Dloss, bytes(dloss), dloss.len());
    }

    let shape = case.shape;
    let class =
        |len: usize, stride: usize| (0..len).map(|i| i % stride < shape.n_classes * shape.inner).collect::<Vec<_>>();
    let mut logits = bytes(inputs.logits);
    logits.truncate(shape.logits_len() * shape.logits_storage.bytes());
    let written = class(shape.logits_len(), shape.logits_stride);
    add(Slot::Logits, logits, written.iter().map(|&class| class && layout.in_place).collect());
    let mut output = |slot, storage: Storage, written: Vec<bool>| {
        add(slot, POISON.to_le_bytes()[..storage.bytes()].repeat(written.len()), written);
    };
    if pass != Pass::Forward && !layout.in_place {
        output(Slot::Dlogits, shape.dlogits_storage, class(shape.dlogits_len(), shape.dlogits_stride));
    }
    if pass != Pass::Forward && has_teacher_gradient(&case.loss) {
        output(Slot::Dtargets, shape.dtargets_storage, class(shape.dtargets_len(), shape.dtargets_stride));
    }
    if pass != Pass::Backward {
        let storage = if case.has_values_per_element() { shape.values_storage } else { Storage::F32 };
        output(Slot::Values, storage, vec![true; plan.values_len()]);
        if plan.side_len() > 0 {
            output(Slot::Side, Storage::F32, vec![true; plan.side_len()]);
        }
    }
    if pass == Pass::Forward && plan.row_state_len() > 0 {
        output(Slot::RowState, Storage::F32, vec![true; plan.row_state_len()]);
    }
    tensors
}

fn bytes(numbers: Numbers<'_>) -> Vec<u8> {
    match numbers {
        Numbers::F32(numbers) => bytemuck::cast_slice(numbers).to_vec(),
        Numbers::Bf16(numbers) => bytemuck::cast_slice(numbers).to_vec(),
        Numbers::F16(numbers) => bytemuck::cast_slice(numbers).to_vec(),
    }
}

fn label_bytes(labels: Labels<'_>) -> Vec<u8> {
    match labels {
        Labels::I32(labels) => bytemuck::cast_slice(labels).to_vec(),
        Labels::U32(labels) => bytemuck::cast_slice(labels).to_vec(),
        Labels::I64(labels) => bytemuck::cast_slice(labels).to_vec(),
    }
}

/// The bits of one element.
fn bits_of(element: &[u8]) -> u32 {
    element.iter().rev().fold(0, |bits, &byte| bits << 8 | u32::from(byte))
}

/// Gives every tensor its place, with guards around it, and makes the buffers.
fn place(engine: &GpuEngine, tensors: &mut [Tensor], layout: Layout) -> Vec<Page> {
    let mut pages: Vec<Vec<u8>> = Vec::new();
    for tensor in tensors {
        let opens_page = pages.is_empty() || !layout.arena;
        if opens_page {
            pages.push(Vec::new());
        }
        tensor.buffer = pages.len() - 1;
        let page = &mut pages[tensor.buffer];
        tensor.start = if layout.tight && !opens_page {
            page.len().next_multiple_of(tensor.element)
        } else {
            let half = if layout.odd && tensor.element < WORD { tensor.element } else { 0 };
            (page.len() + GUARD_BYTES).next_multiple_of(16) + layout.shift * tensor.element.max(WORD) + half
        };
        guard(page, tensor.start);
        page.extend(&tensor.bytes);
        if !layout.tight {
            guard(page, page.len() + GUARD_BYTES);
        }
    }
    pages.iter_mut().for_each(|page| guard(page, page.len().next_multiple_of(WORD) + GUARD_BYTES));
    pages.into_iter().map(|bytes| Page { buffer: upload(engine, &bytes), bytes }).collect()
}

/// Fills a page up to this length.
fn guard(page: &mut Vec<u8>, len: usize) {
    page.extend((page.len()..len).map(|i| GUARD.to_le_bytes()[i % WORD]));
}

fn upload(engine: &GpuEngine, contents: &[u8]) -> wgpu::Buffer {
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
    engine.device().create_buffer_init(&wgpu::util::BufferInitDescriptor { label: Some("page"), contents, usage })
}

/// A dispatch of a pipeline of the test's own over these buffers, by binding.
pub fn launch(
    engine: &GpuEngine,
    pipeline: &wgpu::ComputePipeline,
    buffers: impl Iterator<Item = (u32, wgpu::Buffer)>,
    n_groups: u32,
) {
    let buffers: Vec<_> = buffers.collect();
    let entries: Vec<_> = buffers
        .iter()
        .map(|(binding, buffer)| wgpu::BindGroupEntry { binding: *binding, resource: buffer.as_entire_binding() })
        .collect();
    let layout = &pipeline.get_bind_group_layout(0);
    let descriptor = wgpu::BindGroupDescriptor { label: None, layout, entries: &entries };
    let bind_group = engine.device().create_bind_group(&descriptor);
    let mut encoder = engine.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
    pass.set_pipeline(pipeline);
    pass.set_bind_group(0, &bind_group, &[]);
    pass.dispatch_workgroups(n_groups, 1, 1);
    drop(pass);
    engine.queue().submit([encoder.finish()]);
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
