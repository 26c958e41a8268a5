use criterion::{BenchmarkId, Criterion, Throughput};
use surprisal::{Engine, Output, Pass, Shape, Storage};

use crate::check::compare;
use crate::operations::Operation;
use crate::tensors::Rows;
use crate::{group, name};

/// The CPU engine on host tensors of one shape.
pub struct Cpu {
    shape: Shape,
    /// Distinct rows, which the batch repeats.
    few: Rows,
    batch: Rows,
    output: Output,
}

impl Cpu {
    /// `n_rows` is a power of two.
    pub fn new(n_rows: usize, n_classes: usize) -> Cpu {
        let few = Rows::distinct(n_rows, n_classes);
        let batch = repeated(&few, n_rows / few.n_rows);
        Cpu { shape: Shape::new(n_rows, n_classes), few, batch, output: Output::default() }
    }

    /// Times an operation, once its results on the distinct rows have passed.
    pub fn bench(&mut self, criterion: &mut Criterion, operation: &Operation, pass: Pass) {
        let Cpu { shape, few, batch, output } = self;
        let engine = Engine::cpu();
        let mut group = group(criterion, &format!("cpu/{}.{}", operation.name(), name(pass)));
        let mut is_checked = false;
        group.bench_function(id(shape), |bencher| {
            if !std::mem::replace(&mut is_checked, true) {
                check(&engine, operation, pass, few);
            }
            let inputs = operation.inputs(pass, batch);
            let mut evaluate = || engine.evaluate_into(&operation.loss, pass, *shape, inputs, output);
            bencher.iter(|| evaluate().expect("what passed on fewer rows passes on more"));
        });
        group.finish();
    }

    /// The logits, read and written once by one thread.
    pub fn copy(&mut self, criterion: &mut Criterion) {
        let mut group = group(criterion, "cpu/copy");
        let mut to = vec![0.0; self.batch.logits.len()];
        group.throughput(Throughput::Bytes(2 * size_of_val(&*to) as u64));
        group.bench_function(id(&self.shape), |bencher| bencher.iter(|| to.copy_from_slice(&self.batch.logits)));
        group.finish();
    }
}

/// These rows, over and over.
fn repeated(rows: &Rows, n_repeats: usize) -> Rows {
    let numbers = |tensor: &[f32]| tensor.repeat(n_repeats);
    Rows {
        n_rows: rows.n_rows * n_repeats,
        logits: numbers(&rows.logits),
        labels: rows.labels.repeat(n_repeats),
        probs: numbers(&rows.probs),
        log_probs: numbers(&rows.log_probs),
        others: numbers(&rows.others),
    }
}

fn check(engine: &Engine, operation: &Operation, pass: Pass, few: &Rows) {
    let shape = Shape::new(few.n_rows, few.logits.len() / few.n_rows);
    let found = engine.evaluate(&operation.loss, pass, shape, operation.inputs(pass, few));
    let found = found.unwrap_or_else(|error| panic!("{}: {error}", operation.name()));
    let oracle = operation.oracle(pass, few);
    compare(operation.name(), "values", &found.values, &oracle.values, Storage::F32, 0.0);
    if let (Some(found), Some(expected)) = (found.dlogits, oracle.dlogits) {
        compare(operation.name(), "dlogits", &found, &expected, Storage::F32, 0.0);
    }
}

fn id(shape: &Shape) -> BenchmarkId {
    BenchmarkId::from_parameter(format!("{}x{}", shape.n_rows, shape.n_classes))
}
