use crate::inputs::Broadcast;
use crate::kernel::Slot;

/// The caller's device slices for one call, by slot.
///
/// Slices are byte ranges of any buffers with usage `STORAGE`; offsets are multiples of an element's size, so that a
/// tensor of 16-bit numbers may start in the middle of a word. They may share a buffer as long as no byte that is
/// written is bound twice; what else lies in a word that is written in part stays as it is. Shapes are those of
/// [`crate::Inputs`] and [`crate::Output`], row strides and storage those of the plan's [`crate::Shape`].
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::wgpu::{self, util::DeviceExt};
/// use surprisal::{Buffers, CrossEntropy, Engine, Pass, Shape};
///
/// let engine = Engine::new()?;
/// let Some(gpu) = engine.gpu() else { return Ok(()) };
/// let (device, queue) = (gpu.device(), gpu.queue());
///
/// // Two rows of three logits and their labels; their loss and gradient in one buffer, 256 bytes apart.
/// let of = |contents: &[u8]| {
///     let usage = wgpu::BufferUsages::STORAGE;
///     device.create_buffer_init(&wgpu::util::BufferInitDescriptor { label: None, contents, usage })
/// };
/// let logits = of(bytemuck::cast_slice(&[2.0_f32, 1.0, 0.1, 0.5, 2.5, 0.3]));
/// let labels = of(bytemuck::cast_slice(&[0_i32, 1]));
/// let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC;
/// let results =
///     device.create_buffer(&wgpu::BufferDescriptor { label: None, size: 280, usage, mapped_at_creation: false });
///
/// let plan = gpu.plan(CrossEntropy::new(), Pass::ForwardBackward, Shape::new(2, 3))?;
/// let buffers = Buffers::new(logits.slice(..)).targets(labels.slice(..));
/// let bound = plan.bind(&buffers.values(results.slice(..4)).dlogits(results.slice(256..)))?;
///
/// let mut encoder = device.create_command_encoder(&Default::default());
/// bound.record(&mut encoder);
/// queue.submit([encoder.finish()]);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Buffers<'a> {
    slices: [Option<wgpu::BufferSlice<'a>>; Slot::COUNT],
    pub(super) weights: Option<Broadcast>,
    pub(super) in_place: bool,
    pub(super) scratch: Option<wgpu::BufferSlice<'a>>,
}

impl<'a> Buffers<'a> {
    /// Logits `[N, C]`, as [`crate::Shape::logits_storage`] says.
    pub fn new(logits: wgpu::BufferSlice<'a>) -> Self {
        Buffers::of(std::iter::once((Slot::Logits, logits)), None)
    }

    /// Labels `[N]`, or those `[N, k]` that a top-k teacher names, as [`crate::Shape::label_storage`] says; or one
    /// number per class `[N, C]`, as [`crate::Shape::targets_storage`] says. A label out of range makes its row's loss
    /// and gradient NaN and nothing else; a mean over all rows counts it, one over kept rows or class weights does not.
    pub fn targets(self, slice: wgpu::BufferSlice<'a>) -> Self {
        self.with(Slot::Targets, slice)
    }

    /// What a [`crate::Distillation`] holds the student against beside labels, `[N, C]`, with stride and storage of
    /// targets that have one number per class; of a top-k teacher [`Buffers::teacher_ids`] instead.
    pub fn teacher(self, slice: wgpu::BufferSlice<'a>) -> Self {
        self.with(Slot::Teacher, slice)
    }

    /// The classes that the top-k teacher of a [`crate::Distillation`] names, `[N, k]`, as
    /// [`crate::Shape::label_storage`] says of these and of the labels.
    pub fn teacher_ids(self, slice: wgpu::BufferSlice<'a>) -> Self {
        self.with(Slot::TeacherIds, slice)
    }

    /// What a top-k teacher has at the classes it names, `[N, k]`, as [`crate::Shape::targets_storage`] says.
    pub fn target_probs(self, slice: wgpu::BufferSlice<'a>) -> Self {
        self.with(Slot::TargetProbs, slice)
    }

    /// Factors on the elements of an elementwise loss, f32: `[N]`, `[C]` or `[N, C]` without padding, as the broadcast
    /// says.
    pub fn weights(mut self, slice: wgpu::BufferSlice<'a>, broadcast: Broadcast) -> Self {
        self.weights = Some(broadcast);
        self.with(Slot::Weights, slice)
    }

    /// One weight per row `[N]`, f32. A weight that is no number makes its row's loss and gradient NaN. Where only the
    /// GPU knows how many rows are valid, 1 up to there and 0 after it, written by the app's kernel, is that number:
    /// with [`crate::RowWeights::Mask`] it is what a mean divides by, and rows after it are not read.
    pub fn row_weights(self, slice: wgpu::BufferSlice<'a>) -> Self {
        self.with(Slot::RowWeights, slice)
    }

    /// Side outputs: rows `[N, W]` of W words, one per output asked for in the order of [`crate::Side`]'s fields; or
    /// the means `[W]`. All f32 but the argmax, which is u32.
    pub fn side(self, slice: wgpu::BufferSlice<'a>) -> Self {
        self.with(Slot::Side, slice)
    }

    /// A counter, one u32, to which every recording adds the rows that have no value whatever their logits: the label
    /// is out of range, or the row weight no number; what a top-k teacher names is not looked at. The caller sets it to
    /// 0 and reads it when it suits.
    pub fn errors(self, slice: wgpu::BufferSlice<'a>) -> Self {
        self.with(Slot::Errors, slice)
    }

    /// Upstream gradient of the shape of `values`; 1 if absent. f32, or as [`crate::Shape::dloss_storage`] says if
    /// there is one number per element.
    pub fn dloss(self, slice: wgpu::BufferSlice<'a>) -> Self {
        self.with(Slot::Dloss, slice)
    }

    /// The divisor of `Reduction::SumDividedByInput`, one f32.
    pub fn divisor(self, slice: wgpu::BufferSlice<'a>) -> Self {
        self.with(Slot::Divisor, slice)
    }

    /// Row state, [`crate::Plan::row_state_len`] f32: written by `Forward`, read by `Backward`.
    pub fn row_state(self, slice: wgpu::BufferSlice<'a>) -> Self {
        self.with(Slot::RowState, slice)
    }

    /// The values, [`crate::Plan::values_len`] of them; those of a [`crate::Distillation`] in fours: the sum, its hard
    /// part, its soft part, its z-loss. f32, or as [`crate::Shape::values_storage`] says if there is one per element.
    pub fn values(self, slice: wgpu::BufferSlice<'a>) -> Self {
        self.with(Slot::Values, slice)
    }

    /// The gradient `[N, C]`, as [`crate::Shape::dlogits_storage`] says.
    pub fn dlogits(self, slice: wgpu::BufferSlice<'a>) -> Self {
        self.with(Slot::Dlogits, slice)
    }

    /// The gradient with respect to the targets `[N, C]`, as [`crate::Shape::dtargets_storage`] says.
    pub fn dtargets(self, slice: wgpu::BufferSlice<'a>) -> Self {
        self.with(Slot::Dtargets, slice)
    }

    /// Writes the gradient over the logits; their stride and storage are its own.
    pub fn dlogits_in_place(mut self) -> Self {
        self.in_place = true;
        self
    }

    /// Memory for what the dispatches leave each other, in place of the engine's own: as many bytes as
    /// [`crate::Plan::describe`] says, from a multiple of the device's `min_storage_buffer_offset_alignment` on. What it
    /// held is lost; between recordings it is the caller's. The whole slice counts as written, whatever of it is used.
    ///
    /// Its pieces are one buffer's, some read and some written by one dispatch, which therefore binds everything
    /// `read_write`: on some GPUs inputs then miss a cache that is for what nobody writes.
    pub fn scratch(mut self, slice: wgpu::BufferSlice<'a>) -> Self {
        self.scratch = Some(slice);
        self
    }

    /// These slices; weights, if there are any, broadcast so.
    pub(super) fn of(
        slices: impl Iterator<Item = (Slot, wgpu::BufferSlice<'a>)>,
        weights: Option<Broadcast>,
    ) -> Buffers<'a> {
        let none = Buffers { slices: [None; Slot::COUNT], weights, in_place: false, scratch: None };
        slices.fold(none, |buffers, (slot, slice)| buffers.with(slot, slice))
    }

    pub(super) fn get(&self, slot: Slot) -> Option<wgpu::BufferSlice<'a>> {
        self.slices[slot as usize - 1]
    }

    /// The slices given, by slot.
    pub(super) fn given(&self) -> impl Iterator<Item = (Slot, wgpu::BufferSlice<'a>)> + '_ {
        Slot::ALL.into_iter().filter_map(|slot| Some((slot, self.get(slot)?)))
    }

    fn with(mut self, slot: Slot, slice: wgpu::BufferSlice<'a>) -> Self {
        self.slices[slot as usize - 1] = Some(slice);
        self
    }
}
