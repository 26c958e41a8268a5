use crate::inputs::Broadcast;
use crate::kernel::Slot;

/// The caller's device slices for one call, by slot.
///
/// Slices are byte ranges of any buffers with usage `STORAGE`; offsets are multiples of 4. They may share a buffer as
/// long as no byte that is written is bound twice. Shapes are those of [`crate::Inputs`] and [`crate::Output`], row
/// strides those of the plan's [`crate::Shape`].
#[derive(Clone, Copy, Debug)]
pub struct Buffers<'a> {
    slices: [Option<wgpu::BufferSlice<'a>>; Slot::COUNT],
    pub(super) weights: Option<Broadcast>,
    pub(super) in_place: bool,
}

impl<'a> Buffers<'a> {
    /// Logits `[N, C]`, f32.
    pub fn new(logits: wgpu::BufferSlice<'a>) -> Self {
        let buffers = Buffers { slices: [None; Slot::COUNT], weights: None, in_place: false };
        buffers.with(Slot::Logits, logits)
    }

    /// Labels `[N]`, i32 or u32, or one f32 per class `[N, C]`. A label out of range makes its row's loss and gradient
    /// NaN and nothing else.
    pub fn targets(self, slice: wgpu::BufferSlice<'a>) -> Self {
        self.with(Slot::Targets, slice)
    }

    /// Factors on the elements of an elementwise loss, f32.
    pub fn weights(mut self, slice: wgpu::BufferSlice<'a>, broadcast: Broadcast) -> Self {
        self.weights = Some(broadcast);
        self.with(Slot::Weights, slice)
    }

    /// Upstream gradient, f32, of the shape of `values`; 1 if absent.
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

    /// The values, [`crate::Plan::values_len`] f32.
    pub fn values(self, slice: wgpu::BufferSlice<'a>) -> Self {
        self.with(Slot::Values, slice)
    }

    /// The gradient `[N, C]`, f32.
    pub fn dlogits(self, slice: wgpu::BufferSlice<'a>) -> Self {
        self.with(Slot::Dlogits, slice)
    }

    /// The gradient with respect to the targets `[N, C]`, f32.
    pub fn dtargets(self, slice: wgpu::BufferSlice<'a>) -> Self {
        self.with(Slot::Dtargets, slice)
    }

    /// Writes the gradient over the logits; their stride is its stride.
    pub fn dlogits_in_place(mut self) -> Self {
        self.in_place = true;
        self
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
