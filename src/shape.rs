/// The batch: `n_rows` rows of `n_classes` classes, each tensor with its own row stride.
///
/// A stride counts elements from the start of one row to the start of the next; strides default to `n_classes`
/// (contiguous rows). Per-row tensors (class indices, row losses, row state) are always contiguous.
///
/// ```
/// let padded = surprisal::Shape::new(2, 3).logits_stride(4); // two rows of 3 logits, 4 elements apart
/// assert_eq!(padded.logits_len(), 7);
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
}

impl Shape {
    /// Contiguous rows.
    pub const fn new(n_rows: usize, n_classes: usize) -> Self {
        let stride = n_classes;
        Shape {
            n_rows,
            n_classes,
            logits_stride: stride,
            targets_stride: stride,
            dlogits_stride: stride,
            dtargets_stride: stride,
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
