use crate::{Pass, Reduction};

/// Everything that can go wrong, before or after a launch. Each message says what was expected and what was found;
/// each variant says here how to put it right.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Give at least one class; a softmax over nothing has no value.
    #[error("expected at least one class, found 0")]
    NoClasses,

    /// Rows must not overlap: pass a stride of at least `n_classes` elements.
    #[error("expected {tensor} rows at least {n_classes} elements apart, found a stride of {stride}")]
    RowStride {
        /// Which tensor has the stride.
        tensor: &'static str,
        /// Elements from one row to the next.
        stride: usize,
        /// Classes in a row.
        n_classes: usize,
    },

    /// Slabs must not overlap: pass a stride of at least `n_classes * inner` elements.
    #[error("expected {tensor} slabs of {n_classes} x {inner} at least as far apart, found a stride of {stride}")]
    SlabStride {
        /// Which tensor has the stride.
        tensor: &'static str,
        /// Elements from one slab to the next.
        stride: usize,
        /// Classes in a row.
        n_classes: usize,
        /// Rows in a slab.
        inner: usize,
    },

    /// Give whole slabs: `n_rows` is `outer * inner`, as [`crate::Shape::planes`] makes it, and `inner` at least 1.
    #[error("expected rows in whole slabs of `inner` = {inner}, found {n_rows}")]
    Slabs {
        /// Rows in the batch.
        n_rows: usize,
        /// Rows in a slab.
        inner: usize,
    },

    /// Indices are 32 bits wide on the GPU: cut the batch into several calls. A buffer must hold one row at least. Each
    /// row's label is looked up among all ignored ones: where those are many, leave rows out by a row weight of 0.
    #[error("expected {what} to be at most {limit}, found {found}")]
    TooLarge {
        /// What is too large, with its unit.
        what: &'static str,
        /// The number given.
        found: u64,
        /// The largest number that works.
        limit: u64,
    },

    /// Bring the option into its range; the range is that of the formula, not of this crate.
    #[error("expected {option} {expected}, found {found}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// The numbers allowed.
        expected: &'static str,
        /// The number given.
        found: f32,
    },

    /// Give the numbers in a form the loss can start from.
    #[error("{loss} starts from {expected}")]
    Form {
        /// The loss's name.
        loss: &'static str,
        /// The forms it reads.
        expected: &'static str,
    },

    /// Sum or average the elements, or ask for the gradient of the logits alone.
    #[error("{loss} with one value per element has no gradient with respect to the targets")]
    TeacherGradient {
        /// The loss's name.
        loss: &'static str,
    },

    /// Name at least one class a row, and no more than there are, or than 256.
    #[error("expected a top-k teacher of 1 to {limit} classes a row, found {found}")]
    TopK {
        /// k.
        found: usize,
        /// The largest k that works.
        limit: usize,
    },

    /// Ask for what is expected, or give the teacher one number per class.
    #[error("{loss} with a top-k teacher expects {expected}")]
    TopKTeacher {
        /// The loss's name.
        loss: &'static str,
        /// What a top-k teacher goes with.
        expected: &'static str,
    },

    /// Add up the masses of a class before naming it, or leave one of its slots unused: give it a negative id.
    #[error("expected a top-k teacher to name a class once, found {found} twice in row {row}")]
    RepeatedTarget {
        /// The first row that names a class twice.
        row: usize,
        /// The class.
        found: i64,
    },

    /// Give one number per class (or, where the option allows it, one number for all).
    #[error("expected {expected} values of {option}, one per class, found {found}")]
    ClassVectorLength {
        /// The option's name.
        option: &'static str,
        /// The number of classes.
        expected: usize,
        /// The number of values given.
        found: usize,
    },

    /// Weights may be zero or negative, but must be finite.
    #[error("expected finite {option}, found {found} for class {class}")]
    ClassVectorValue {
        /// The option's name.
        option: &'static str,
        /// The first class whose value is not finite.
        class: usize,
        /// Its value.
        found: f32,
    },

    /// Start from logits, or multiply the element weights of positives by it: of probabilities PyTorch has none either.
    #[error("{loss} has no pos_weight; it belongs to binary cross-entropy of logits")]
    PosWeight {
        /// The loss's name.
        loss: &'static str,
    },

    /// Choose a reduction that the loss defines; `BatchMean` belongs to the divergences.
    #[error("{loss} has no reduction {reduction:?}")]
    Reduction {
        /// The loss's name.
        loss: &'static str,
        /// The reduction asked for.
        reduction: Reduction,
    },

    /// Smoothing over the other classes needs other classes: smooth over all, or give two.
    #[error("expected at least two classes to smooth over the other ones, found 1")]
    NoOtherClasses,

    /// Ask for side outputs that have a mean, or for one number per row.
    #[error("expected side outputs that have a mean, found {found}")]
    SideMean {
        /// What has no mean.
        found: &'static str,
    },

    /// The loss needs this tensor for this pass: add it to the inputs.
    #[error("{loss} needs {tensor} for {pass:?}, found none")]
    Missing {
        /// The loss's name.
        loss: &'static str,
        /// The tensor's name.
        tensor: &'static str,
        /// The pass asked for.
        pass: Pass,
    },

    /// The loss would ignore this tensor: remove it, or choose the loss that reads it.
    #[error("{loss} does not use {tensor} in {pass:?}, found one")]
    Unused {
        /// The loss's name.
        loss: &'static str,
        /// The tensor's name.
        tensor: &'static str,
        /// The pass asked for.
        pass: Pass,
    },

    /// Pass targets of the kind the loss reads: class indices, of i32, u32 or i64, or one number per class.
    #[error("{loss} expects targets as {expected}, found {found}")]
    TargetKind {
        /// The loss's name.
        loss: &'static str,
        /// The kind the loss reads.
        expected: &'static str,
        /// The kind given.
        found: &'static str,
    },

    /// Give the tensor as the plan's shape says it is stored, or say so in the shape.
    #[error("expected {tensor} stored as {expected}, found {found}")]
    Storage {
        /// The tensor's name.
        tensor: &'static str,
        /// What the shape says.
        expected: &'static str,
        /// What was given.
        found: &'static str,
    },

    /// The slice must hold the whole tensor: shape, stride and last row included.
    #[error("expected {expected} values of {tensor}, found {found}")]
    Length {
        /// The tensor's name.
        tensor: &'static str,
        /// Values needed.
        expected: usize,
        /// Values given.
        found: usize,
    },

    /// What holds for both parts of a sum of losses is that of the loss against labels: set it there, and run what is
    /// refused as a loss of its own.
    #[error("a part of a distillation takes no options of its own for the whole: {option}")]
    PartOption {
        /// What was set.
        option: &'static str,
    },

    /// Weigh the upstream gradient instead: row weights are for losses whose rows have one value before any reduction.
    #[error("{loss} is computed element by element and takes no row weights")]
    NoRowWeights {
        /// The loss.
        loss: &'static str,
    },

    /// Take what the row lacks from a loss that has it: labels from the losses against a class index, logits from the
    /// constructor `from_logits`, one value per row from any other reduction.
    #[error("{loss} takes {option} only with {lacks}")]
    RowOption {
        /// The loss's name.
        loss: &'static str,
        /// What was set.
        option: &'static str,
        /// What its rows are without.
        lacks: &'static str,
    },

    /// Row weights may be zero or negative, but must be finite.
    #[error("expected finite row weights, found {found} in row {row}")]
    RowWeight {
        /// The first row whose weight is not finite.
        row: usize,
        /// Its weight.
        found: f32,
    },

    /// Clamp what rounding left outside, or start from logits: logarithms and powers of a negative number have no
    /// value.
    #[error("expected {tensor} to be probabilities in 0..=1, found {found} for class {class} in row {row}")]
    Probability {
        /// The tensor's name.
        tensor: &'static str,
        /// The row of the first such number in memory.
        row: usize,
        /// Its class.
        class: usize,
        /// The number.
        found: f32,
    },

    /// Correct the label, or name it as `ignore_index`; of a top-k teacher, give a slot without a class a negative id.
    #[error("expected {tensor} to be class indices in 0..{n_classes}, found {found} in row {row}")]
    TargetRange {
        /// The tensor's name: `targets`, or `teacher_ids` beside labels.
        tensor: &'static str,
        /// The first row with a class that does not exist.
        row: usize,
        /// The number in the class's place.
        found: i64,
        /// The number of classes.
        n_classes: usize,
    },

    /// Make the slice larger: it must hold the whole tensor, strides included.
    #[error("expected a {tensor} slice of at least {expected} bytes, found {found}")]
    SliceSize {
        /// The tensor's name.
        tensor: &'static str,
        /// Bytes needed.
        expected: u64,
        /// Bytes in the slice.
        found: u64,
    },

    /// Slices start at a multiple of an element's size.
    #[error("expected the {tensor} slice to start at a multiple of {element} bytes, found offset {offset}")]
    SliceOffset {
        /// The tensor's name.
        tensor: &'static str,
        /// Bytes of an element.
        element: u64,
        /// The slice's offset in bytes.
        offset: u64,
    },

    /// Make the buffer's size a multiple of four bytes: a device reads and writes whole words.
    #[error("expected the {tensor} buffer to hold whole words of 4 bytes where the slice ends, found {found} bytes")]
    PartialWord {
        /// The tensor's name.
        tensor: &'static str,
        /// Bytes of the buffer.
        found: u64,
    },

    /// Create the buffer with `wgpu::BufferUsages::STORAGE`.
    #[error("expected the {tensor} buffer to have usage STORAGE, found {found:?}")]
    SliceUsage {
        /// The tensor's name.
        tensor: &'static str,
        /// The buffer's usages.
        found: wgpu::BufferUsages,
    },

    /// Two slices share bytes and one of them is written. Give the output a slice of its own, or ask for the in-place
    /// gradient.
    #[error("{written} is written but shares bytes with {other}; give it a slice of its own")]
    Overlap {
        /// The tensor that is written.
        written: &'static str,
        /// The tensor that shares bytes with it.
        other: &'static str,
    },

    /// In a browser bindings start at multiples of `min_storage_buffer_offset_alignment` and may not overlap if a
    /// kernel may write to either; where an output shares a buffer with an input, or scratch is the caller's, kernels may
    /// write to all of them. Start slices of one buffer at such multiples, or give them buffers of their own.
    #[error("a browser binds {one} and {other} of one buffer only in blocks of {block} bytes of their own")]
    SharedBlock {
        /// One of the tensors.
        one: &'static str,
        /// The tensor in whose block it begins or ends.
        other: &'static str,
        /// The alignment of bindings.
        block: u64,
    },

    /// One row alone, or one slab of class-strided rows, exceeds what the device can bind at once, and has to be bound
    /// whole: request a larger `max_storage_buffer_binding_size`, cut images into smaller ones, or use
    /// [`crate::Engine::cpu`].
    ///
    /// Losses are cut along their classes. Whole remain factors per class, and what there is per row: labels, row state,
    /// and `saved_sums`, the at most 60 bytes a row that are kept between windows of classes.
    #[error("one row or slab of {tensor} takes {found} bytes and is bound whole, the device binds at most {limit}")]
    RowTooLarge {
        /// The tensor's name.
        tensor: &'static str,
        /// Bytes in one row or slab.
        found: u64,
        /// `max_storage_buffer_binding_size`, less the room for alignment.
        limit: u64,
    },

    /// One class of a slab alone exceeds what the device can bind at once: request a larger
    /// `max_storage_buffer_binding_size`, cut images into smaller ones, or use [`crate::Engine::cpu`].
    #[error("one class of a slab of {tensor} takes {found} bytes, the device binds at most {limit}")]
    ClassTooLarge {
        /// The tensor's name.
        tensor: &'static str,
        /// Bytes in one class of a slab.
        found: u64,
        /// `max_storage_buffer_binding_size`, less the room for alignment.
        limit: u64,
    },

    /// No adapter fits. Install a driver, or use [`crate::Engine::cpu`]; `SURPRISAL_ADAPTER=software` admits software
    /// adapters such as lavapipe.
    #[error("no GPU adapter fits: {reason}")]
    NoAdapter {
        /// What was looked for, and what wgpu said.
        reason: String,
    },

    /// The device lacks something every kernel needs; request it as [`crate::GpuEngine::wanted`] says.
    #[error("the device lacks {what}; request the features and limits that GpuEngine::wanted names")]
    Device {
        /// What is missing, with numbers.
        what: String,
    },

    /// A pipeline cache belongs to one device, and this engine was to open another: use
    /// [`crate::GpuEngine::with_options`] with the cache's device.
    #[error(
        "a pipeline cache is of one device, but the engine opens its own; give GpuEngine::with_options that device"
    )]
    ForeignCache,

    /// The variant forced through [`crate::Options`] cannot run on this device.
    #[error("the device cannot run the forced variant: {reason}")]
    Variant {
        /// What the variant needs.
        reason: &'static str,
    },

    /// wgpu refused something: a buffer of another device, most often. wgpu's own text follows.
    #[error("wgpu refused {what}: {message}")]
    Wgpu {
        /// What was being created or submitted.
        what: &'static str,
        /// wgpu's message.
        message: String,
    },

    /// The device has no room: free buffers, or cut the batch.
    #[error("out of device memory while creating {what}: {message}")]
    OutOfMemory {
        /// What was being created.
        what: &'static str,
        /// wgpu's message.
        message: String,
    },

    /// The device was lost or the wait failed: build a new engine on a new device.
    #[error("the device stopped answering: {message}")]
    DeviceLost {
        /// wgpu's message.
        message: String,
    },
}
