use std::cell::RefCell;

use super::lanes::{LANES, Task, vectorised};
use super::per_class::{PerClass, split};
use super::rows::{GroupOut, Reader, RowOut, Rows, Scratch};
use super::short_rows::{SHORT, ShortRows};
use crate::kernel::Slot;
use crate::validate::{Extent, Problem};

/// Elements that a thread takes at a time, at least.
const GRAIN: usize = 1 << 14;

/// Rows that follow each other, and where their results go.
pub(super) struct Run<'a, 'b, R> {
    pub problem: &'a Problem,
    pub rows: &'a R,
    pub logits: Reader<'a>,
    /// The first row.
    pub first: usize,
    pub n: usize,
    pub out: Slices<'b>,
}

/// The results of a run of rows.
pub(super) struct Slices<'a> {
    pub values: PerClass<'a>,
    pub dlogits: PerClass<'a>,
    pub dtargets: PerClass<'a>,
    pub parts: &'a mut [f32],
    pub state: &'a mut [f32],
    pub side: &'a mut [u32],
}

impl<R: Rows> Run<'_, '_, R> {
    /// Halves a long run between two threads, and several slabs into some of them and the others.
    pub fn go(self) {
        let shape = &self.problem.shape;
        let (n_slabs, is_long) = (self.n / shape.inner, self.n * shape.n_classes > 2 * GRAIN);
        let at = match shape.inner {
            1 if is_long => self.n / 2,
            inner if inner > 1 && n_slabs > 1 => n_slabs / 2 * inner,
            inner if inner > 1 && is_long => self.n / 2,
            _ => 0,
        };
        if at == 0 {
            return vectorised(self);
        }
        let (here, there) = self.split(at);
        #[cfg(feature = "rayon")]
        if is_long {
            rayon::join(|| here.go(), || there.go());
            return;
        }
        here.go();
        there.go();
    }

    /// The first `at` rows, and the others.
    fn split(self, at: usize) -> (Self, Self) {
        let Run { problem, rows, logits, first, n, out } = self;
        let Slices { values, dlogits, dtargets, parts, state, side } = out;
        let (values, values_after) = values.split(at);
        let (dlogits, dlogits_after) = dlogits.split(at);
        let (dtargets, dtargets_after) = dtargets.split(at);
        let (parts, parts_after) = split(parts, at * 3);
        let (state, state_after) = split(state, at * problem.state_width());
        let (side, side_after) = split(side, at * problem.spec().rows().side.width());
        let here = Slices { values, dlogits, dtargets, parts, state, side };
        let there = Slices {
            values: values_after,
            dlogits: dlogits_after,
            dtargets: dtargets_after,
            parts: parts_after,
            state: state_after,
            side: side_after,
        };
        let run = |first, n, out| Run { problem, rows, logits, first, n, out };
        (run(first, at, here), run(first + at, n - at, there))
    }
}

/// Memory that a thread's rows take in turn.
#[derive(Default)]
struct Rooms {
    x: Vec<f32>,
    scratch: Scratch,
    /// Rows of results that do not lie side by side.
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
        let Rooms { x, scratch, values: values_room, dlogits: dlogits_room, dtargets: dtargets_room } = &mut rooms;
        let Run { problem, rows, logits, first, n, out } = self;
        let (shape, n_classes) = (&problem.shape, problem.shape.n_classes);
        let n_values = if problem.extent() == Extent::Element { n_classes } else { 1 };
        let [mut values, mut dlogits, mut dtargets] = [out.values, out.dlogits, out.dtargets].map(PerClass::opened);
        let [values_storage, dlogits_storage, dtargets_storage] =
            [Slot::Values, Slot::Dlogits, Slot::Dtargets].map(|slot| problem.storage(slot));
        let state_width = if out.state.is_empty() { 0 } else { problem.state_width() };
        let side_width = if out.side.is_empty() { 0 } else { problem.spec().rows().side.width() };
        let parts_width = if out.parts.is_empty() { 0 } else { 3 };
        let mut short_rows = rows.begins_with_softmax().filter(|_| n_classes <= SHORT).map(ShortRows::new);
        let abreast = if short_rows.is_some() { LANES } else { 1 };
        for begin in (0..n).step_by(abreast) {
            let x = logits.group(shape, first + begin, abreast.min(n - begin), x);
            let mut done = 0;
            if let Some(short_rows) = &mut short_rows {
                short_rows.compute(&x);
                let (values, state) = (values.rows(begin, x.n_rows), &mut out.state[begin * state_width..]);
                let wants_gradient = !dlogits.is_empty();
                done = rows.side_by_side(first + begin, &x, short_rows, GroupOut { values, state, wants_gradient });
                if done != 0 {
                    dlogits.store_short_rows(begin, &x, short_rows, dlogits_storage);
                }
            }
            for (lane, i) in (begin..begin + x.n_rows).enumerate().filter(|(lane, _)| done >> lane & 1 == 0) {
                let row = RowOut {
                    values: values.row(i, n_values, values_room),
                    dlogits: dlogits.row(i, n_classes, dlogits_room),
                    dtargets: dtargets.row(i, n_classes, dtargets_room),
                    parts: &mut out.parts[i * parts_width..][..parts_width],
                    state: &mut out.state[i * state_width..][..state_width],
                    side: &mut out.side[i * side_width..][..side_width],
                };
                let found = short_rows.as_ref().and_then(|short_rows| {
                    short_rows.copy_row(lane, row.dlogits);
                    short_rows.softmax(lane)
                });
                rows.row(first + i, x.row(lane), found, scratch, row);
                values.store(i, n_values, values_room, values_storage);
                dlogits.store(i, n_classes, dlogits_room, dlogits_storage);
                dtargets.store(i, n_classes, dtargets_room, dtargets_storage);
            }
        }
        ROOMS.set(rooms);
    }
}
