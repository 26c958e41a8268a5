use super::rows::Group;
use super::short_rows::ShortRows;
use crate::{Shape, Storage};

/// A result with one number per class, as far as a run of rows has it.
pub(super) enum PerClass<'a> {
    /// Rows, classes side by side; none where the tensor is not written.
    Rows { tensor: &'a mut [f32], stride: usize },
    /// Whole slabs `[C, inner]`.
    Slabs { tensor: &'a mut [f32], stride: usize, inner: usize },
    /// Of one slab the positions of the run, class by class.
    Planes(Vec<&'a mut [f32]>),
}

impl<'a> PerClass<'a> {
    pub fn new(tensor: &'a mut [f32], shape: &Shape, stride: usize) -> Self {
        match shape.inner {
            _ if tensor.is_empty() => PerClass::Rows { tensor, stride },
            1 => PerClass::Rows { tensor, stride },
            inner => PerClass::Slabs { tensor, stride, inner },
        }
    }

    /// The first `n` rows, and the others. A cut within a slab wants nothing but that slab.
    pub fn split(self, n: usize) -> (Self, Self) {
        match self {
            PerClass::Rows { tensor, stride } => {
                let (tensor, after) = split(tensor, n * stride);
                (PerClass::Rows { tensor, stride }, PerClass::Rows { tensor: after, stride })
            }
            PerClass::Slabs { tensor, stride, inner } if n.is_multiple_of(inner) => {
                let (tensor, after) = split(tensor, n / inner * stride);
                (PerClass::Slabs { tensor, stride, inner }, PerClass::Slabs { tensor: after, stride, inner })
            }
            slab => {
                let (planes, after) = slab.planes().into_iter().map(|plane| plane.split_at_mut(n)).unzip();
                (PerClass::Planes(planes), PerClass::Planes(after))
            }
        }
    }

    /// One slab as its planes.
    fn planes(self) -> Vec<&'a mut [f32]> {
        match self {
            // Padding after the last class may end within a plane.
            PerClass::Slabs { tensor, inner, .. } => tensor.chunks_exact_mut(inner).collect(),
            PerClass::Planes(planes) => planes,
            PerClass::Rows { .. } => Vec::new(),
        }
    }

    /// The same, ready for rows to be written: whole rows, or the planes of one slab.
    pub fn opened(self) -> Self {
        match self {
            PerClass::Slabs { .. } => PerClass::Planes(self.planes()),
            opened => opened,
        }
    }

    /// Where row `n` of the run is to be computed: in place, or in `room`.
    #[inline(always)]
    pub fn row<'b>(&'b mut self, n: usize, n_classes: usize, room: &'b mut Vec<f32>) -> &'b mut [f32] {
        match self {
            PerClass::Rows { tensor, stride } => {
                let first = n * *stride;
                let row = if tensor.is_empty() { 0..0 } else { first..first + n_classes };
                &mut tensor[row]
            }
            PerClass::Slabs { .. } | PerClass::Planes(_) => {
                room.resize(n_classes, 0.0);
                room
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        matches!(self, PerClass::Rows { tensor, .. } if tensor.is_empty())
    }

    /// Rows of one number each from `n` on; none where the tensor is not written.
    #[inline(always)]
    pub fn rows(&mut self, n: usize, n_rows: usize) -> &mut [f32] {
        match self {
            PerClass::Rows { tensor, stride: 1 } if !tensor.is_empty() => &mut tensor[n..n + n_rows],
            _ => &mut [],
        }
    }

    /// Rounds rows from `n` on to what the tensor is stored as, and puts them in their places.
    #[inline(always)]
    pub fn store_short_rows(&mut self, n: usize, x: &Group<'_>, rows: &ShortRows, storage: Storage) {
        match self {
            PerClass::Rows { tensor, stride } if !tensor.is_empty() => {
                for i in 0..x.n_rows {
                    rows.copy_row(i, &mut tensor[(n + i) * *stride..][..x.n_classes]);
                }
                for i in n..n + x.n_rows {
                    self.store(i, x.n_classes, &[], storage);
                }
            }
            PerClass::Rows { .. } | PerClass::Slabs { .. } => {}
            PerClass::Planes(planes) => {
                for (plane, lanes) in planes.iter_mut().zip(&rows.classes) {
                    let places = plane[n..n + x.n_rows].iter_mut();
                    places.zip(lanes).for_each(|(place, number)| *place = storage.round((*number).into()));
                }
            }
        }
    }

    /// Rounds that row to what the tensor is stored as, and puts it in its place.
    #[inline(always)]
    pub fn store(&mut self, n: usize, n_classes: usize, room: &[f32], storage: Storage) {
        match self {
            PerClass::Rows { tensor, stride } if storage != Storage::F32 && !tensor.is_empty() => {
                let row = &mut tensor[n * *stride..][..n_classes];
                row.iter_mut().for_each(|number| *number = storage.round((*number).into()));
            }
            PerClass::Rows { .. } | PerClass::Slabs { .. } => {}
            PerClass::Planes(planes) => {
                planes.iter_mut().zip(room).for_each(|(plane, number)| plane[n] = storage.round((*number).into()));
            }
        }
    }
}

/// A tensor up to here and from here; nothing twice of one that is not written.
pub(super) fn split<T>(tensor: &mut [T], at: usize) -> (&mut [T], &mut [T]) {
    let at = at.min(tensor.len());
    tensor.split_at_mut(at)
}
