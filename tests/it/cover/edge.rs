//! Numbers at the edge of what has a value, for whatever a loss reads: put into a case whose tensors are sound.

use surprisal::{Family, Form};

use crate::support::case::Case;
use crate::support::spec::teacher_form;

const INF: f32 = f32::INFINITY;
const MASK: f32 = f32::NEG_INFINITY;

/// Masks, rows without a value, even rows among what stands in the logits' place; zeros, masks and numbers below the
/// smallest normal one among the targets. `turn` says which kind comes first.
pub fn put_at_the_edge(case: &mut Case, turn: usize) {
    let n_classes = case.shape.n_classes;
    let labels = plain_labels(case);
    if case.loss.family() == Family::Elementwise {
        return elements_at_the_edge(case, turn);
    }
    let is_log_prob = case.loss.input() == Form::LogProbs;
    for (n, row) in case.logits.chunks_mut(n_classes).enumerate() {
        let label = labels.as_ref().map_or(0, |labels| labels[n]);
        match (n + turn) % 9 {
            0 => row[(label + 1) % n_classes] = MASK,
            1 => row[label] = MASK,
            2 => row.fill(if is_log_prob { -1.25 } else { 0.5 }),
            3 => row[n_classes - 1] = f32::NAN,
            4 => row[n_classes / 2] = INF,
            5 => row.fill(MASK),
            // Every lane but the last sees masks alone.
            6 => row[..n_classes - 1].fill(MASK),
            7 if !is_log_prob => row.fill(f32::MIN),
            _ => {}
        }
    }
    let Some(form) = teacher_form(&case.loss) else { return };
    let Some(values) = &mut case.values else { return };
    for (n, row) in values.chunks_mut(n_classes).enumerate() {
        let (first, last) = (n % n_classes, n_classes - 1);
        // Of another number of kinds than the logits' rows: in time each meets each.
        match ((n + turn) % 7, form) {
            (0, Form::Probs) => one_hot(row, first, 0.0, 1.0),
            (0, Form::LogProbs) => one_hot(row, first, MASK, 0.0),
            (0, Form::Logits) => one_hot(row, first, f32::MIN, 0.0),
            (1, Form::Probs) => row[first] = 0.0,
            (1, _) => row[first] = MASK,
            (2, Form::Probs) => row[first] = 3e-40,
            (2, Form::LogProbs) => row[first] = -80.0,
            (2, Form::Logits) => row.fill(-0.25),
            (3, _) => row[last] = f32::NAN,
            (4, Form::Probs) => row[last] = -0.0,
            (4, _) => row[last] = MASK,
            (5, Form::Probs) => row[first] = -0.25,
            (5, Form::Logits) => row.fill(MASK),
            _ => {}
        }
    }
}

/// Every third element: the ends of the range, numbers below the smallest normal one, infinities and NaN. Probabilities
/// stay within 0..=1: the host refuses others.
fn elements_at_the_edge(case: &mut Case, turn: usize) {
    let below_one = f32::from_bits(1.0_f32.to_bits() - 1);
    let probs = [0.0, -0.0, 1e-45, 5e-44, 1e-40, 1.2e-38, 1e-12, below_one, 1.0];
    let logits = [INF, MASK, f32::NAN, 100.0, -100.0, 0.0, f32::MAX];
    let edges = if case.loss.input() == Form::Probs { &probs[..] } else { &logits };
    let put = |numbers: &mut [f32], edges: &[f32]| {
        let places = numbers.iter_mut().skip(turn % 3).step_by(3);
        places.zip(edges.iter().cycle().skip(turn)).for_each(|(number, &edge)| *number = edge);
    };
    put(&mut case.logits, edges);
    if let Some(labels) = &mut case.values {
        put(labels, &[0.0, 1.0, 0.25, 0.75]);
    }
}

fn one_hot(row: &mut [f32], class: usize, elsewhere: f32, here: f32) {
    row.fill(elsewhere);
    row[class] = here;
}

/// Two thirds of the classes masked by the lowest number, in teacher and student alike.
pub fn mask_by_the_lowest(case: &mut Case, turn: usize) {
    let n_classes = case.shape.n_classes;
    let labels = plain_labels(case);
    let form = teacher_form(&case.loss);
    for n in 0..case.shape.n_rows {
        let label = labels.as_ref().map_or((n + turn) % n_classes, |labels| labels[n]);
        let is_open = |c: usize| (c + n_classes - label).is_multiple_of(3) || c == label;
        for c in (0..n_classes).filter(|&c| !is_open(c)) {
            case.logits[n * n_classes + c] = f32::MIN;
            if let (Some(values), Some(form)) = (&mut case.values, form) {
                values[n * n_classes + c] = match form {
                    Form::Probs => 0.0,
                    Form::LogProbs => MASK,
                    Form::Logits if turn.is_multiple_of(2) => f32::MIN,
                    Form::Logits => MASK,
                };
            }
        }
    }
}

/// The labels, where all of them count.
fn plain_labels(case: &Case) -> Option<Vec<usize>> {
    let labels = case.labels.as_ref().filter(|labels| labels.len() == case.shape.n_rows)?;
    let n_classes = case.shape.n_classes;
    Some(labels.iter().map(|&label| usize::try_from(label).map_or(0, |label| label % n_classes)).collect())
}
