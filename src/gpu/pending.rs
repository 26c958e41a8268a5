use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use super::guard::guarded;
use super::pool::Pooled;
use super::{Bound, Buffers, GpuEngine};
use crate::inputs::{Broadcast, Inputs, Output, Targets};
use crate::{Error, Problem};

const WORD: u64 = 4;

/// A call's output to come: a future, or [`Pending::wait`] for it.
///
/// The future resolves while somebody polls the device: [`crate::Engine::poll`], an event loop that calls
/// `device.poll`, a later submission, or the browser. Awaiting it in a loop of its own with nobody polling waits
/// forever.
#[derive(Debug)]
pub struct Pending {
    state: State,
}

#[derive(Debug)]
enum State {
    Ready(Option<Output>),
    Mapping(Box<Mapping>),
}

/// A submission whose results are being mapped.
#[derive(Debug)]
struct Mapping {
    engine: GpuEngine,
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

/// Elements of each output.
#[derive(Clone, Copy, Debug)]
struct OutputLens {
    values: Option<usize>,
    dlogits: Option<usize>,
    dtargets: Option<usize>,
    row_state: Option<usize>,
}

impl Pending {
    pub(crate) fn ready(output: Output) -> Pending {
        Pending { state: State::Ready(Some(output)) }
    }

    /// Waits for this submission and no other.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn wait(mut self) -> Result<Output, Error> {
        if let State::Mapping(mapping) = &self.state {
            let index = Some(mapping.submission.clone());
            let waited = mapping.engine.device().poll(wgpu::PollType::Wait { submission_index: index, timeout: None });
            waited.map_err(|error| Error::DeviceLost { message: error.to_string() })?;
            mapping.await_signal();
        }
        match Pin::new(&mut self).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(output) => output,
            Poll::Pending => unreachable!("the signal was awaited"),
        }
    }
}

impl Future for Pending {
    type Output = Result<Output, Error>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.state {
            State::Ready(output) => Poll::Ready(Ok(output.take().expect("a future is not polled after it is ready"))),
            State::Mapping(mapping) => mapping.poll(context),
        }
    }
}

impl Mapping {
    /// The work is done; if another thread's poll has taken the news of it, it will be told in a moment.
    #[cfg(not(target_arch = "wasm32"))]
    fn await_signal(&self) {
        let (signal, changed) = &*self.signal;
        let signal = signal.lock().unwrap_or_else(PoisonError::into_inner);
        drop(changed.wait_while(signal, |signal| signal.mapped.is_none()));
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
                readback.unmap();
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
    fn new(problem: &Problem) -> Self {
        OutputLens {
            values: problem.writes_values().then(|| problem.values_len()),
            dlogits: problem.writes_dlogits().then(|| problem.shape.dlogits_len()),
            dtargets: problem.writes_dtargets().then(|| problem.shape.dtargets_len()),
            row_state: problem.writes_state().then(|| problem.shape.n_rows * problem.state_width()),
        }
    }

    fn total(&self) -> usize {
        [self.values, self.dlogits, self.dtargets, self.row_state].into_iter().flatten().sum()
    }

    fn read(&self, readback: &wgpu::Buffer) -> Result<Output, Error> {
        if self.total() == 0 {
            let empty = |len: Option<usize>| len.map(|_| Vec::new());
            return Ok(Output {
                values: Vec::new(),
                dlogits: empty(self.dlogits),
                dtargets: empty(self.dtargets),
                row_state: empty(self.row_state),
            });
        }
        let view = readback
            .get_mapped_range(..self.total() as u64 * WORD)
            .map_err(|error| Error::DeviceLost { message: error.to_string() })?;
        let mut rest: &[f32] = bytemuck::cast_slice(&view);
        let mut take = |len: usize| {
            let (head, tail) = rest.split_at(len);
            rest = tail;
            head.to_vec()
        };
        Ok(Output {
            values: self.values.map_or(Vec::new(), &mut take),
            dlogits: self.dlogits.map(&mut take),
            dtargets: self.dtargets.map(&mut take),
            row_state: self.row_state.map(&mut take),
        })
    }
}

/// Host tensors on the device, and room for the results.
pub(super) struct Transfer {
    engine: GpuEngine,
    inputs: TransferInputs,
    values: Pooled,
    dlogits: Option<Pooled>,
    dtargets: Option<Pooled>,
    row_state: Option<Pooled>,
    lens: OutputLens,
}

struct TransferInputs {
    logits: Pooled,
    targets: Option<Pooled>,
    weights: Option<(Pooled, Broadcast)>,
    dloss: Option<Pooled>,
    divisor: Option<Pooled>,
    row_state: Option<Pooled>,
}

impl Transfer {
    pub fn upload(engine: &GpuEngine, problem: &Problem, inputs: &Inputs<'_>) -> Result<Transfer, Error> {
        let send = |what, bytes: &[u8]| upload(engine, what, bytes);
        let targets: Option<&[u8]> = match inputs.targets {
            Targets::None => None,
            Targets::ClassIndex(labels) => Some(bytemuck::cast_slice(labels)),
            Targets::Values(values) => Some(bytemuck::cast_slice(values)),
        };
        let floats = |what, values: Option<&[f32]>| values.map(|v| send(what, bytemuck::cast_slice(v))).transpose();
        let divisor = inputs.divisor.as_ref().map(std::slice::from_ref);
        let weights = inputs.weights.map(|(weights, broadcast)| -> Result<_, Error> {
            Ok((send("surprisal weights", bytemuck::cast_slice(weights))?, broadcast))
        });
        let inputs = TransferInputs {
            logits: send("surprisal logits", bytemuck::cast_slice(inputs.logits))?,
            targets: targets.map(|bytes| send("surprisal targets", bytes)).transpose()?,
            weights: weights.transpose()?,
            dloss: floats("surprisal dloss", inputs.dloss)?,
            divisor: floats("surprisal divisor", divisor)?,
            row_state: floats("surprisal row_state", inputs.row_state)?,
        };
        let lens = OutputLens::new(problem);
        let room = |what, len: usize| take(engine, what, len as u64 * WORD);
        Ok(Transfer {
            engine: engine.clone(),
            inputs,
            values: room("surprisal values", lens.values.unwrap_or(0))?,
            dlogits: lens.dlogits.map(|len| room("surprisal dlogits", len)).transpose()?,
            dtargets: lens.dtargets.map(|len| room("surprisal dtargets", len)).transpose()?,
            row_state: lens.row_state.map(|len| room("surprisal row_state", len)).transpose()?,
            lens,
        })
    }

    pub fn buffers(&self) -> Buffers<'_> {
        let TransferInputs { logits, targets, weights, dloss, divisor, row_state } = &self.inputs;
        let mut buffers = Buffers::new(logits.slice(..));
        if let Some(targets) = targets {
            buffers = buffers.targets(targets.slice(..));
        }
        if let Some((weights, broadcast)) = weights {
            buffers = buffers.weights(weights.slice(..), *broadcast);
        }
        if let Some(dloss) = dloss {
            buffers = buffers.dloss(dloss.slice(..));
        }
        if let Some(divisor) = divisor {
            buffers = buffers.divisor(divisor.slice(..));
        }
        if let Some(row_state) = row_state.as_ref().or(self.row_state.as_ref()) {
            buffers = buffers.row_state(row_state.slice(..));
        }
        if self.lens.values.is_some() {
            buffers = buffers.values(self.values.slice(..));
        }
        if let Some(dtargets) = &self.dtargets {
            buffers = buffers.dtargets(dtargets.slice(..));
        }
        match &self.dlogits {
            Some(dlogits) => buffers.dlogits(dlogits.slice(..)),
            None => buffers,
        }
    }

    /// Records, submits, and starts mapping the results.
    pub fn submit(self, bound: Bound) -> Result<Pending, Error> {
        let Transfer { engine, inputs, values, dlogits, dtargets, row_state, lens } = self;
        let (device, queue) = (&engine.shared.device, &engine.shared.queue);
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let size = lens.total().max(1) as u64 * WORD;
        let readback = engine.shared.pool.take(device, "surprisal readback", size, usage)?;
        let signal = Arc::new((Mutex::new(Signal::default()), Condvar::new()));
        let submission = guarded(device, "a submission", || {
            let mut encoder =
                device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("surprisal") });
            for gradient in [&dlogits, &dtargets].into_iter().flatten() {
                // Padding between rows of a gradient reads as 0.
                encoder.clear_buffer(gradient, 0, None);
            }
            bound.record(&mut encoder);
            let mut at = 0;
            let outputs = [
                (Some(&values), lens.values),
                (dlogits.as_ref(), lens.dlogits),
                (dtargets.as_ref(), lens.dtargets),
                (row_state.as_ref(), lens.row_state),
            ];
            for (buffer, len) in outputs {
                if let (Some(buffer), Some(len @ 1..)) = (buffer, len) {
                    encoder.copy_buffer_to_buffer(buffer, 0, &readback, at, len as u64 * WORD);
                    at += len as u64 * WORD;
                }
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
        let TransferInputs { logits, targets, weights, dloss, divisor, row_state: saved } = inputs;
        let weights = weights.map(|(weights, _)| weights);
        let optional = [targets, weights, dloss, divisor, saved, dlogits, dtargets, row_state];
        let buffers = [logits, values].into_iter().chain(optional.into_iter().flatten()).collect();
        let mapping =
            Mapping { engine, submission, signal, readback: Some(readback), lens, _buffers: (buffers, bound) };
        Ok(Pending { state: State::Mapping(Box::new(mapping)) })
    }
}

fn take(engine: &GpuEngine, what: &'static str, size: u64) -> Result<Pooled, Error> {
    let usage = wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST;
    engine.shared.pool.take(&engine.shared.device, what, size, usage)
}

fn upload(engine: &GpuEngine, what: &'static str, bytes: &[u8]) -> Result<Pooled, Error> {
    let buffer = take(engine, what, bytes.len() as u64)?;
    guarded(&engine.shared.device, what, || engine.shared.queue.write_buffer(&buffer, 0, bytes))?;
    Ok(buffer)
}
