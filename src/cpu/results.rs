use std::cell::RefCell;

use super::lanes::{LANES, SHORT, ShortRows, Task, vectorised};
use super::rows::{Reader, RowOut, Rows, Scratch, number};
use super::softmax::Softmax;
use crate::inputs::Output;
use crate::kernel::Slot;
use crate::reference::{self, Real};
use crate::validate::{Extent, Problem};
use crate::{Shape, SideOutputs, Storage};

/// Elements that a thread takes at a time, at least.
const GRAIN: usize = 1 << 14;

/// The results of a call as they are written row by row.
pub(super) struct Results<'a> {
    problem: &'a Problem,
    output: &'a mut Output,
    /// Words of side outputs.
    side: Vec<u32>,
}

impl<'a> Results<'a> {
    /// Room for every row's results in the memory an output has already.
    pub fn new(problem: &'a Problem, output: &'a mut Output) -> Self {
        let (shape, n_rows) = (&problem.shape, problem.shape.n_rows);
        let values_len = if problem.extent() == Extent::Element { shape.n_elements() } else { n_rows };
        room(&mut output.values, if problem.writes_values() { values_len } else { 0 });
        let has_parts = problem.writes_values() && problem.spec().distillation().is_some();
        output.parts = has_parts.then(|| vec![[0.0; 3]; n_rows]);
        let optional = |tensor: &mut Option<Vec<f32>>, written: bool, len: usize, stride: usize| match written {
            true => {
                let tensor = tensor.get_or_insert_default();
                room(tensor, len);
                // Padding is 0.
                if stride > shape.slab_len() {
                    tensor.fill(0.0);
                }
            }
            false => *tensor = None,
        };
        optional(&mut output.dlogits, problem.writes_dlogits(), shape.dlogits_len(), shape.dlogits_stride);
        optional(&mut output.dtargets, problem.writes_dtargets(), shape.dtargets_len(), shape.dtargets_stride);
        optional(&mut output.row_state, problem.writes_state(), n_rows * problem.state_width(), 0);
        let side_width = if problem.writes_side() { problem.spec().rows().side.width() } else { 0 };
        Results { problem, output, side: vec![0; n_rows * side_width] }
    }

    /// Every row, by threads that take runs of slabs.
    pub fn compute(&mut self, rows: &impl Rows, logits: Reader<'_>) {
        let whole = Slices {
            values: &mut self.output.values,
            parts: self.output.parts.as_mut().map_or(&mut [], |parts| parts.as_flattened_mut()),
            dlogits: self.output.dlogits.as_deref_mut().unwrap_or_default(),
            dtargets: self.output.dtargets.as_deref_mut().unwrap_or_default(),
            state: self.output.row_state.as_deref_mut().unwrap_or_default(),
            side: &mut self.side,
        };
        Run { problem: self.problem, rows, logits, first: 0, n: self.problem.shape.outer(), out: whole }.go();
    }

    /// From results by row to those of the batch.
    pub fn reduce(self) {
        let Results { problem, output, side } = self;
        let (divisor, kept) = (number(problem.divisor()).into(), number(problem.kept()).into());
        let mean = |sum: f64, divisor: Real| reference::mean(problem, sum.into(), divisor).value as f32;
        if problem.extent() == Extent::Scalar && problem.writes_values() {
            let sum = output.values.iter().copied().map(f64::from).sum();
            output.values.clear();
            output.values.push(mean(sum, divisor));
            if let Some(parts) = &mut output.parts {
                let divisors = reference::part_divisors(problem, divisor, kept);
                let sum = |i: usize| parts.iter().map(|part| f64::from(part[i])).sum();
                *parts = vec![[0, 1, 2].map(|i| mean(sum(i), divisors[i]))];
            }
        }
        output.side = problem.writes_side().then(|| {
            let (wanted, width) = (&problem.spec().rows().side, problem.spec().rows().side.width());
            let numbers = |c: usize| side.iter().skip(c).step_by(width).map(|&word| f64::from(f32::from_bits(word)));
            let means = || (0..width).map(|c| mean(numbers(c).sum(), kept).to_bits()).collect();
            SideOutputs::from_words(wanted, &if wanted.mean { means() } else { side })
        });
    }
}

/// Grows or shrinks to `len` numbers that will be overwritten.
fn room(numbers: &mut Vec<f32>, len: usize) {
    match numbers.capacity() < len {
        // The system's pages of zeros, which each thread touches first itself.
        true => *numbers = vec![0.0; len],
        false => numbers.resize(len, 0.0),
    }
}

/// The results of a run of rows.
struct Slices<'a> {
    values: &'a mut [f32],
    parts: &'a mut [f32],
    dlogits: &'a mut [f32],
    dtargets: &'a mut [f32],
    state: &'a mut [f32],
    side: &'a mut [u32],
}

/// Slabs (rows, where the batch is in rows), and where their results go.
struct Run<'a, 'b, R> {
    problem: &'a Problem,
    rows: &'a R,
    logits: Reader<'a>,
    /// The first slab.
    first: usize,
    n: usize,
    out: Slices<'b>,
}

impl<R: Rows> Run<'_, '_, R> {
    /// Halves a long run between two threads.
    fn go(self) {
        if self.n < 2 || self.n * self.problem.shape.slab_len() <= 2 * GRAIN {
            return vectorised(self);
        }
        let Run { problem, rows, logits, first, n, out } = self;
        let (here, there) = out.split(problem, n / 2);
        let here = Run { problem, rows, logits, first, n: n / 2, out: here };
        let there = Run { problem, rows, logits, first: first + n / 2, n: n - n / 2, out: there };
        rayon::join(|| here.go(), || there.go());
    }
}

impl<'a> Slices<'a> {
    /// The first `n` slabs, and the others.
    fn split(self, problem: &Problem, n: usize) -> (Self, Self) {
        let (shape, rows) = (&problem.shape, n * problem.shape.inner);
        let Slices { values, parts, dlogits, dtargets, state, side } = self;
        let (values, values_after) = split(values, rows * values_width(problem));
        let (parts, parts_after) = split(parts, rows * 3);
        let (dlogits, dlogits_after) = split(dlogits, n * shape.dlogits_stride);
        let (dtargets, dtargets_after) = split(dtargets, n * shape.dtargets_stride);
        let (state, state_after) = split(state, rows * problem.state_width());
        let (side, side_after) = split(side, rows * problem.spec().rows().side.width());
        (
            Slices { values, parts, dlogits, dtargets, state, side },
            Slices {
                values: values_after,
                parts: parts_after,
                dlogits: dlogits_after,
                dtargets: dtargets_after,
                state: state_after,
                side: side_after,
            },
        )
    }
}

/// A tensor at this length, or nothing twice.
fn split<T>(tensor: &mut [T], at: usize) -> (&mut [T], &mut [T]) {
    let at = at.min(tensor.len());
    tensor.split_at_mut(at)
}

/// Values of a row.
fn values_width(problem: &Problem) -> usize {
    if problem.extent() == Extent::Element { problem.shape.n_classes } else { 1 }
}

/// Memory that a thread's rows take in turn.
#[derive(Default)]
struct Rooms {
    x: Vec<f32>,
    scratch: Scratch,
    /// Rows of results that are stored otherwise than side by side.
    values: Vec<f32>,
    dlogits: Vec<f32>,
    dtargets: Vec<f32>,
}

thread_local! {
    static ROOMS: RefCell<Rooms> = RefCell::default();
}

impl<R: Rows> Task for Run<'_, '_, R> {
    #[inline(always)]
    fn run(self) {
        // A thread has one run at a time: none begins within another.
        let mut rooms = ROOMS.take();
        let Run { problem, rows, logits, first, n, out } = self;
        let (shape, extent) = (&problem.shape, problem.extent());
        let Rooms { x, scratch, values, dlogits, dtargets } = &mut rooms;
        let [values_storage, dlogits_storage, dtargets_storage] =
            [Slot::Values, Slot::Dlogits, Slot::Dtargets].map(|slot| problem.storage(slot));
        let state_width = if out.state.is_empty() { 0 } else { problem.state_width() };
        let side_width = if out.side.is_empty() { 0 } else { problem.spec().rows().side.width() };
        let parts_width = if out.parts.is_empty() { 0 } else { 3 };
        let (first, n_rows) = (first * shape.inner, n * shape.inner);
        let inv_t = rows.begins_with_softmax().filter(|_| shape.n_classes <= SHORT);
        let mut short_rows = ShortRows::new();
        for n in 0..n_rows {
            if let Some(inv_t) = inv_t.filter(|_| n % LANES == 0) {
                for i in 0..LANES.min(n_rows - n) {
                    short_rows.put(i, logits.row(shape, first + n + i, x));
                }
                short_rows.compute(shape.n_classes, inv_t);
            }
            let mut row_values = match extent {
                Extent::Element => Place::new(out.values, shape, shape.slab_len(), n, values),
                _ => Place::SideBySide(out.values.get_mut(n..=n).unwrap_or_default()),
            };
            let mut row_dlogits = Place::new(out.dlogits, shape, shape.dlogits_stride, n, dlogits);
            let mut row_dtargets = Place::new(out.dtargets, shape, shape.dtargets_stride, n, dtargets);
            let row = RowOut {
                values: row_values.slice(),
                parts: &mut out.parts[n * parts_width..][..parts_width],
                dlogits: row_dlogits.slice(),
                dtargets: row_dtargets.slice(),
                state: &mut out.state[n * state_width..][..state_width],
                side: &mut out.side[n * side_width..][..side_width],
            };
            let found = inv_t.and_then(|inv_t| Softmax::of_short_row(&short_rows, n % LANES, inv_t));
            if found.is_some() {
                short_rows.exponentials(n % LANES, row.dlogits);
            }
            rows.row(first + n, logits.row(shape, first + n, x), found, scratch, row);
            row_values.store(values_storage);
            row_dlogits.store(dlogits_storage);
            row_dtargets.store(dtargets_storage);
        }
        ROOMS.set(rooms);
    }
}

/// A row's place in a tensor.
enum Place<'a> {
    SideBySide(&'a mut [f32]),
    /// Numbers that go to every `inner`th place, the first to the first.
    Apart {
        row: &'a mut [f32],
        tensor: &'a mut [f32],
        inner: usize,
    },
}

impl<'a> Place<'a> {
    /// Of row `n` in a tensor with one number per class, or in one that is not written.
    #[inline(always)]
    fn new(tensor: &'a mut [f32], shape: &Shape, stride: usize, n: usize, room: &'a mut Vec<f32>) -> Place<'a> {
        let inner = shape.inner;
        match inner {
            _ if tensor.is_empty() => Place::SideBySide(tensor),
            1 => Place::SideBySide(&mut tensor[n * stride..][..shape.n_classes]),
            _ => {
                room.resize(shape.n_classes, 0.0);
                Place::Apart { row: room, tensor: &mut tensor[shape.place(stride, n, 0)..], inner }
            }
        }
    }

    #[inline(always)]
    fn slice(&mut self) -> &mut [f32] {
        match self {
            Place::SideBySide(row) | Place::Apart { row, .. } => row,
        }
    }

    /// Rounds the row to what the tensor is stored as, and puts it there.
    #[inline(always)]
    fn store(self, storage: Storage) {
        match self {
            Place::SideBySide(_) if storage == Storage::F32 => {}
            Place::SideBySide(row) => row.iter_mut().for_each(|number| *number = storage.round((*number).into())),
            Place::Apart { row, tensor, inner } => {
                let places = tensor.iter_mut().step_by(inner);
                places.zip(row).for_each(|(place, number)| *place = storage.round((*number).into()));
            }
        }
    }
}
