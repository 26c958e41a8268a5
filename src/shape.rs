use crate::{LabelStorage, Storage};

/// The batch: `n_rows` rows of `n_classes` classes, each tensor with its own stride and storage.
///
/// In rows, `[N, C]`, the classes of a row lie side by side. A stride counts elements from the start of one row to the
/// start of the next; strides default to `n_classes` (contiguous rows).
///
/// In planes, `[outer, C, inner]`, they lie `inner` apart, as PyTorch has images: `[N, C, H, W]` is
/// `Shape::planes(N, C, H * W)`. Row `o * inner + i` is position `i` of slab `o`, and its class `c` element
/// `o * stride + c * inner + i`: a stride counts elements from one slab to the next and defaults to
/// `n_classes * inner`. Every tensor with one number per class lies so, nothing is transposed.
///
/// What has one number per row (class indices, row losses, row weights, row state) is always contiguous, in the order
/// of the rows: `[N, H, W]` for images.
///
/// Numbers of a tensor `[N, C]` are f32 unless said otherwise; all others (a reduced loss, row losses, row state, class
/// weights, factors per element) always are.
///
/// ```
/// let padded = surprisal::Shape::new(2, 3).logits_stride(4); // two rows of 3 logits, 4 elements apart
/// assert_eq!(padded.logits_len(), 7);
///
/// let mixed = padded.logits_storage(surprisal::Storage::Bf16); // the gradient stays f32
/// ```
///
/// Two classes on an image of three pixels:
///
/// ```
/// # use surprisal::{CrossEntropy, Engine, Inputs, Pass, Reduction, Shape};
/// let logits = [9.0, 0.0, 0.0, 0.0, 0.0, 9.0]; // the first class's plane, then the second's
/// let loss = CrossEntropy::new().reduction(Reduction::None);
/// let shape = Shape::planes(1, 2, 3);
/// let output = Engine::cpu().evaluate(loss, Pass::Forward, shape, Inputs::new(&logits).targets(&[0, 0, 1]))?;
/// assert_eq!(output.values[0], output.values[2]);
/// assert_eq!(output.values[1], 2_f32.ln());
/// # Ok::<(), surprisal::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Shape {
    /// N, rows in the batch.
    pub n_rows: usize,
    /// C, classes in a row.
    pub n_classes: usize,
    /// Rows in a slab, and elements from one class to the next: 1 where the batch is in rows.
    pub inner: usize,
    /// Elements between rows, or slabs, of the logits.
    pub logits_stride: usize,
    /// Elements between rows, or slabs, of targets that have one value per class.
    pub targets_stride: usize,
    /// Elements between rows, or slabs, of the gradient.
    pub dlogits_stride: usize,
    /// Elements between rows, or slabs, of the targets' gradient.
    pub dtargets_stride: usize,
    /// How the logits are stored, and a gradient in place.
    pub logits_storage: Storage,
    /// How targets are stored that have one number per class.
    pub targets_storage: Storage,
    /// How class indices are stored.
    pub label_storage: LabelStorage,
    /// How an upstream gradient is stored that has one number per element.
    pub dloss_storage: Storage,
    /// How values are stored if there is one per element.
    pub values_storage: Storage,
    /// How the gradient is stored.
    pub dlogits_storage: Storage,
    /// How the targets' gradient is stored.
    pub dtargets_storage: Storage,
}

impl Shape {
    /// Contiguous rows of f32, and 32-bit class indices.
    pub const fn new(n_rows: usize, n_classes: usize) -> Self {
        Shape::planes(n_rows, n_classes, 1)
    }

    /// Contiguous planes `[outer, n_classes, inner]` of f32, and 32-bit class indices: `outer * inner` rows.
    pub const fn planes(outer: usize, n_classes: usize, inner: usize) -> Self {
        // Saturated numbers are refused as too large; no positions are an empty batch.
        let n_rows = outer.saturating_mul(inner);
        let inner = if inner == 0 { 1 } else { inner };
        let slab = n_classes.saturating_mul(inner);
        Shape {
            n_rows,
            n_classes,
            inner,
            logits_stride: slab,
            targets_stride: slab,
            dlogits_stride: slab,
            dtargets_stride: slab,
            logits_storage: Storage::F32,
            targets_storage: Storage::F32,
            label_storage: LabelStorage::I32,
            dloss_storage: Storage::F32,
            values_storage: Storage::F32,
            dlogits_storage: Storage::F32,
            dtargets_storage: Storage::F32,
        }
    }

    /// Sets the elements between rows, or slabs, of the logits.
    pub const fn logits_stride(mut self, elements: usize) -> Self {
        self.logits_stride = elements;
        self
    }

    /// Sets the elements between rows, or slabs, of targets that have one value per class.
    pub const fn targets_stride(mut self, elements: usize) -> Self {
        self.targets_stride = elements;
        self
    }

    /// Sets the elements between rows, or slabs, of the gradient.
    pub const fn dlogits_stride(mut self, elements: usize) -> Self {
        self.dlogits_stride = elements;
        self
    }

    /// Sets the elements between rows, or slabs, of the targets' gradient.
    pub const fn dtargets_stride(mut self, elements: usize) -> Self {
        self.dtargets_stride = elements;
        self
    }

    /// Sets how every tensor `[N, C]` is stored.
    pub const fn storage(self, storage: Storage) -> Self {
        let inputs = self.logits_storage(storage).targets_storage(storage).dloss_storage(storage);
        inputs.values_storage(storage).dlogits_storage(storage).dtargets_storage(storage)
    }

    /// Sets how the logits are stored, and a gradient in place.
    pub const fn logits_storage(mut self, storage: Storage) -> Self {
        self.logits_storage = storage;
        self
    }

    /// Sets how targets are stored that have one number per class.
    pub const fn targets_storage(mut self, storage: Storage) -> Self {
        self.targets_storage = storage;
        self
    }

    /// Sets how class indices are stored.
    pub const fn label_storage(mut self, storage: LabelStorage) -> Self {
        self.label_storage = storage;
        self
    }

    /// Sets how an upstream gradient is stored that has one number per element.
    pub const fn dloss_storage(mut self, storage: Storage) -> Self {
        self.dloss_storage = storage;
        self
    }

    /// Sets how values are stored if there is one per element.
    pub const fn values_storage(mut self, storage: Storage) -> Self {
        self.values_storage = storage;
        self
    }

    /// Sets how the targets' gradient is stored.
    pub const fn dtargets_storage(mut self, storage: Storage) -> Self {
        self.dtargets_storage = storage;
        self
    }

    /// Sets how the gradient is stored.
    pub const fn dlogits_storage(mut self, storage: Storage) -> Self {
        self.dlogits_storage = storage;
        self
    }

    /// N x C; as large as may be for a shape that no engine takes.
    pub const fn n_elements(&self) -> usize {
        self.n_rows.saturating_mul(self.n_classes)
    }

    /// Elements from the first logit to the last, padding between rows or slabs included.
    pub const fn logits_len(&self) -> usize {
        self.strided_len(self.logits_stride)
    }

    /// Elements from the first target to the last, for targets that have one value per class.
    pub const fn targets_len(&self) -> usize {
        self.strided_len(self.targets_stride)
    }

    /// Elements from the first gradient to the last.
    pub const fn dlogits_len(&self) -> usize {
        self.strided_len(self.dlogits_stride)
    }

    /// Elements from the first to the last of the targets' gradient.
    pub const fn dtargets_len(&self) -> usize {
        self.strided_len(self.dtargets_stride)
    }

    /// Slabs in the batch: its rows, where it is in rows.
    pub const fn outer(&self) -> usize {
        match self.n_rows.checked_div(self.inner) {
            Some(outer) => outer,
            None => 0,
        }
    }

    /// Elements of a slab without padding.
    pub(crate) const fn slab_len(&self) -> usize {
        self.n_classes.saturating_mul(self.inner)
    }

    /// Where class `c` of row `n` is in a tensor with this stride.
    pub(crate) const fn place(&self, stride: usize, n: usize, c: usize) -> usize {
        n / self.inner * stride + c * self.inner + n % self.inner
    }

    const fn strided_len(&self, stride: usize) -> usize {
        match self.outer() {
            0 => 0,
            n => (n - 1).saturating_mul(stride).saturating_add(self.slab_len()),
        }
    }
}
