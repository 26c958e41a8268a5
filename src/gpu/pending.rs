use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use super::guard::guarded;
#[cfg(not(target_arch = "wasm32"))]
use super::guard::polled;
use super::pool::Pooled;
use super::{Bound, Buffers, GpuEngine};
use crate::inputs::{Broadcast, Inputs, Output};
use crate::kernel::Slot;
use crate::{Error, Problem, Side, SideOutputs, Storage};

const WORD: u64 = 4;

/// A call's output to come: a future, or [`Pending::wait`] for it.
///
/// The future resolves while somebody polls the device: [`crate::Engine::poll`], an event loop that calls
/// `device.poll`, a later submission, or the browser. Awaiting it in a loop of its own with nobody polling waits
/// forever.
///
/// ```
/// # fn main() -> Result<(), surprisal::Error> {
/// use surprisal::{Engine, Inputs, Loss, Pass, Shape};
///
/// let engine = Engine::new()?;
/// let rows = [[1.0, 2.0], [3.0, 5.0]];
/// let begin = |row| engine.begin(Loss::Softmax, Pass::Forward, Shape::new(1, 2), Inputs::new(row));
/// let [first, second] = rows.each_ref().map(begin);
/// // Both are under way.
/// assert!((second?.wait()?.values[1] - 0.880797).abs() < 1e-6);
/// assert!((first?.wait()?.values[1] - 0.731059).abs() < 1e-6);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Pending {
    state: State,
}

#[derive(Debug)]
enum State {
    Ready(Box<Option<Output>>),
    Submitted(Box<Runs>),
}

/// The batch as runs of rows, a submission each.
#[derive(Debug)]
struct Runs {
    waiting: VecDeque<Mapping>,
    /// What the runs before those put out.
    output: Option<Output>,
    problem: Problem,
}

/// A submission whose results are being mapped.
#[derive(Debug)]
pub(super) struct Mapping {
    engine: GpuEngine,
    #[cfg_attr(target_arch = "wasm32", expect(dead_code, reason = "a browser does not wait"))]
    submission: wgpu::SubmissionIndex,
    signal: Arc<(Mutex<Signal>, Condvar)>,
    readback: Option<Pooled>,
    lens: OutputLens,
    /// Inputs, outputs and scratch, on loan until the work is done.
    _buffers: (Vec<Pooled>, Bound),
}

#[derive(Debug, Default)]
struct Signal {
    mapped: Option<Result<(), wgpu::BufferAsyncError>>,
    waker: Option<Waker>,
}

/// Elements of each output, and how they are stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct OutputLens {
    values: Option<Stored>,
    /// Whether a value is followed by its parts.
    has_parts: bool,
    dlogits: Option<Stored>,
    dtargets: Option<Stored>,
    row_state: Option<Stored>,
    side: Option<(Side, Stored)>,
}

#[derive(Clone, Copy, Debug)]
struct Stored {
    len: usize,
    storage: Storage,
}

impl Stored {
    /// Bytes it takes in the readback buffer: copies are of whole words.
    fn bytes(self) -> u64 {
        (self.len as u64 * self.storage.bytes() as u64).next_multiple_of(WORD)
    }
}

impl Pending {
    pub(crate) fn ready(output: Output) -> Pending {
        Pending { state: State::Ready(Box::new(Some(output))) }
    }

    /// The submissions of a problem's runs of rows, first to last.
    pub(super) fn submitted(problem: &Problem, waiting: VecDeque<Mapping>) -> Pending {
        Pending { state: State::Submitted(Box::new(Runs { waiting, output: None, problem: problem.clone() })) }
    }

    /// Waits for this call's submissions and no other.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn wait(mut self) -> Result<Output, Error> {
        if let State::Submitted(runs) = &self.state {
            runs.waiting.iter().try_for_each(Mapping::wait)?;
        }
        match Pin::new(&mut self).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => output,
            Poll::Pending => unreachable!("every signal was awaited"),
        }
    }
}

impl Future for Pending {
    type Output = Result<Output, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.state {
            State::Ready(output) => Poll::Ready(Ok(output.take().expect("a future is not polled after it is ready"))),
            State::Submitted(runs) => runs.poll(context),
        }
    }
}

impl Runs {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Output, Error>> {
        while let Some(run) = self.waiting.front_mut() {
            let next = ready!(run.poll(context))?;
            match &mut self.output {
                None => self.output = Some(next),
                Some(output) => output.append(next, &self.problem),
            }
            self.waiting.pop_front();
        }
        let output = self.output.take().expect("a future is not polled after it is ready");
        Poll::Ready(Ok(output))
    }
}

impl Mapping {
    #[cfg(not(target_arch = "wasm32"))]
    fn wait(&self) -> Result<(), Error> {
        let index = Some(self.submission.clone());
        polled(self.engine.device(), wgpu::PollType::Wait { submission_index: index, timeout: None })?;
        // The work is done; if another thread's poll has taken the news of it, it will be told in a moment.
        let (signal, changed) = &*self.signal;
        let signal = signal.lock().unwrap_or_else(PoisonError::into_inner);
        drop(changed.wait_while(signal, |signal| signal.mapped.is_none()));
        Ok(())
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Output, Error>> {
        let mut signal = self.signal.0.lock().unwrap_or_else(PoisonError::into_inner);
        match signal.mapped.take() {
            None => {
                signal.waker = Some(context.waker().clone());
                Poll::Pending
            }
            Some(Err(error)) => Poll::Ready(Err(Error::DeviceLost { message: error.to_string() })),
            Some(Ok(())) => {
                drop(signal);
                let readback = self.readback.take().expect("a future is not polled after it is ready");
                let output = self.lens.read(&readback);
                // A device that was destroyed meanwhile unmaps nothing.
                match guarded(self.engine.device(), "the readback", || readback.unmap()) {
                    Ok(()) => drop(readback),
                    Err(_) => readback.discard(),
                }
                Poll::Ready(output)
            }
        }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // Still mapping: nobody else may get this buffer.
        if let Some(readback) = self.readback.take() {
            readback.discard();
        }
    }
}

impl OutputLens {
    pub fn new(problem: &Problem) -> Self {
        let stored = |slot, len| Stored { len, storage: problem.storage(slot) };
        let n_rows = problem.shape.n_rows;
        let side = || (problem.spec().rows().side, stored(Slot::Side, problem.side_len()));
        OutputLens {
            values: problem.writes_values().then(|| stored(Slot::Values, problem.values_len())),
            has_parts: problem.writes_values() && problem.spec().distillation().is_some(),
            dlogits: problem.writes_dlogits().then(|| stored(Slot::Dlogits, problem.shape.dlogits_len())),
            dtargets: problem.writes_dtargets().then(|| stored(Slot::Dtargets, problem.shape.dtargets_len())),
            row_state: problem.writes_state().then(|| stored(Slot::RowState, n_rows * problem.state_width())),
            side: problem.writes_side().then(side),
        }
    }

    fn side(&self) -> Option<Stored> {
        self.side.map(|(_, stored)| stored)
    }

    /// Those there are, in the order they are read back.
    fn each(&self) -> impl Iterator<Item = (Slot, Stored)> {
        let OutputLens { values, dlogits, dtargets, row_state, .. } = *self;
        let all = [
            (Slot::Values, values),
            (Slot::Dlogits, dlogits),
            (Slot::Dtargets, dtargets),
            (Slot::RowState, row_state),
            (Slot::Side, self.side()),
        ];
        all.into_iter().filter_map(|(slot, output)| Some((slot, output?)))
    }

    pub fn total_bytes(&self) -> u64 {
        self.each().map(|(_, output)| output.bytes()).sum()
    }

    fn read(&self, readback: &wgpu::Buffer) -> Result<Output, Error> {
        if self.total_bytes() == 0 {
            let empty = |output: Option<Stored>| output.map(|_| Vec::new());
            return Ok(Output {
                values: Vec::new(),
                parts: self.has_parts.then(Vec::new),
                dlogits: empty(self.dlogits),
                dtargets: empty(self.dtargets),
                row_state: empty(self.row_state),
                side: self.side.map(|(side, _)| SideOutputs::from_words(&side, &[])),
            });
        }
        let view = readback
            .get_mapped_range(..self.total_bytes())
            .map_err(|error| Error::DeviceLost { message: error.to_string() })?;
        let mut rest: &[u8] = &view;
        let mut bytes = |output: Stored| {
            let (head, tail) = rest.split_at(output.bytes() as usize);
            rest = tail;
            &head[..output.len * output.storage.bytes()]
        };
        let mut floats = |output: Stored| output.storage.widen(bytes(output));
        let mut values = self.values.map_or(Vec::new(), &mut floats);
        let parts = self.has_parts.then(|| values.chunks(4).map(|value| [value[1], value[2], value[3]]).collect());
        if self.has_parts {
            values = values.into_iter().step_by(4).collect();
        }
        Ok(Output {
            values,
            parts,
            dlogits: self.dlogits.map(&mut floats),
            dtargets: self.dtargets.map(&mut floats),
            row_state: self.row_state.map(&mut floats),
            side: self.side.map(|(side, output)| {
                SideOutputs::from_words(&side, &bytemuck::pod_collect_to_vec::<u8, u32>(bytes(output)))
            }),
        })
    }
}

/// Host tensors on the device, and room for the results.
pub(super) struct Transfer {
    engine: GpuEngine,
    inputs: Vec<(Slot, Pooled)>,
    weights: Option<Broadcast>,
    /// In the order they are read back.
    outputs: Vec<(Slot, Stored, Pooled)>,
    lens: OutputLens,
}

impl Transfer {
    pub fn upload(engine: &GpuEngine, problem: &Problem, inputs: &Inputs<'_>) -> Result<Transfer, Error> {
        let lens = OutputLens::new(problem);
        let send = |(slot, bytes): (Slot, &[u8])| Ok((slot, upload(engine, slot.name(), bytes)?));
        let room = |(slot, output): (Slot, Stored)| Ok((slot, output, take(engine, slot.name(), output.bytes())?));
        Ok(Transfer {
            engine: engine.clone(),
            inputs: inputs.given().into_iter().map(send).collect::<Result<_, Error>>()?,
            weights: inputs.weights.map(|(_, broadcast)| broadcast),
            outputs: lens.each().map(room).collect::<Result<_, Error>>()?,
            lens,
        })
    }

    pub fn buffers(&self) -> Buffers<'_> {
        let inputs = self.inputs.iter().map(|(slot, buffer)| (*slot, buffer));
        let outputs = self.outputs.iter().map(|(slot, _, buffer)| (*slot, buffer));
        Buffers::of(inputs.chain(outputs).map(|(slot, buffer)| (slot, buffer.slice(..))), self.weights)
    }

    /// Records, submits, and starts mapping the results.
    pub fn submit(self, bound: Bound) -> Result<Mapping, Error> {
        let Transfer { engine, inputs, outputs, lens, .. } = self;
        let (device, queue) = (&engine.shared.device, &engine.shared.queue);
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let size = lens.total_bytes().max(WORD);
        let readback = engine.shared.pool.take(device, "readback", size, usage)?;
        let signal = Arc::new((Mutex::new(Signal::default()), Condvar::new()));
        let submission = guarded(device, "a submission", || {
            let mut encoder =
                device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("surprisal") });
            for (_, _, gradient) in outputs.iter().filter(|(slot, ..)| matches!(slot, Slot::Dlogits | Slot::Dtargets)) {
                // Padding between rows of a gradient reads as 0.
                encoder.clear_buffer(gradient, 0, None);
            }
            bound.record(&mut encoder);
            let mut at = 0;
            for (_, output, buffer) in outputs.iter().filter(|(_, output, _)| output.len > 0) {
                encoder.copy_buffer_to_buffer(buffer, 0, &readback, at, output.bytes());
                at += output.bytes();
            }
            let signal = signal.clone();
            encoder.map_buffer_on_submit(&readback, wgpu::MapMode::Read, ..size, move |mapped| {
                let mut news = signal.0.lock().unwrap_or_else(PoisonError::into_inner);
                news.mapped = Some(mapped);
                signal.1.notify_all();
                if let Some(waker) = news.waker.take() {
                    waker.wake();
                }
            });
            queue.submit([encoder.finish()])
        })?;
        let read = inputs.into_iter().map(|(_, buffer)| buffer);
        let buffers = read.chain(outputs.into_iter().map(|(_, _, buffer)| buffer)).collect();
        Ok(Mapping { engine, submission, signal, readback: Some(readback), lens, _buffers: (buffers, bound) })
    }
}

/// A buffer of the pool, for a tensor.
pub(super) fn take(engine: &GpuEngine, what: &'static str, size: u64) -> Result<Pooled, Error> {
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
    engine.shared.pool.take(&engine.shared.device, what, size, usage)
}

pub(super) fn upload(engine: &GpuEngine, what: &'static str, bytes: &[u8]) -> Result<Pooled, Error> {
    let buffer = take(engine, what, bytes.len() as u64)?;
    // Copies are of whole words; 16-bit numbers may leave half of one.
    let (whole, rest) = bytes.split_at(bytes.len() - bytes.len() % WORD as usize);
    let mut last = [0; WORD as usize];
    last[..rest.len()].copy_from_slice(rest);
    guarded(&engine.shared.device, what, || {
        engine.shared.queue.write_buffer(&buffer, 0, whole);
        if !rest.is_empty() {
            engine.shared.queue.write_buffer(&buffer, whole.len() as u64, &last);
        }
    })?;
    Ok(buffer)
}
