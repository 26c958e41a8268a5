use crate::{LabelStorage, Storage};

/// The batch: `n_rows` rows of `n_classes` classes, each tensor with its own row stride and storage.
///
/// A stride counts elements from the start of one row to the start of the next; strides default to `n_classes`
/// (contiguous rows). Per-row tensors (class indices, row losses, row state) are always contiguous.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Shape {
    /// N, rows in the batch.
    pub n_rows: usize,
    /// C, classes in a row.
    pub n_classes: usize,
    /// Elements between rows of the logits.
    pub logits_stride: usize,
    /// Elements between rows of targets that have one value per class.
    pub targets_stride: usize,
    /// Elements between rows of the gradient.
    pub dlogits_stride: usize,
    /// Elements between rows of the targets' gradient.
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
        Shape {
            n_rows,
            n_classes,
            logits_stride: n_classes,
            targets_stride: n_classes,
            dlogits_stride: n_classes,
            dtargets_stride: n_classes,
            logits_storage: Storage::F32,
            targets_storage: Storage::F32,
            label_storage: LabelStorage::I32,
            dloss_storage: Storage::F32,
            values_storage: Storage::F32,
            dlogits_storage: Storage::F32,
            dtargets_storage: Storage::F32,
        }
    }

    /// Sets the elements between rows of the logits.
    pub const fn logits_stride(mut self, elements: usize) -> Self {
        self.logits_stride = elements;
        self
    }

    /// Sets the elements between rows of targets that have one value per class.
    pub const fn targets_stride(mut self, elements: usize) -> Self {
        self.targets_stride = elements;
        self
    }

    /// Sets the elements between rows of the gradient.
    pub const fn dlogits_stride(mut self, elements: usize) -> Self {
        self.dlogits_stride = elements;
        self
    }

    /// Sets the elements between rows of the targets' gradient.
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

    /// N x C.
    pub const fn n_elements(&self) -> usize {
        self.n_rows * self.n_classes
    }

    /// Elements from the first logit to the last, padding between rows included.
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

    const fn strided_len(&self, stride: usize) -> usize {
        match self.n_rows {
            0 => 0,
            n => (n - 1) * stride + self.n_classes,
        }
    }
}
