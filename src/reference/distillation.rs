use std::borrow::Cow;

use super::{Real, Row, Tensors, class_index, distribution, is_ignored, kept_class, logits, row_softmax};
use crate::loss::{Distillation, Maths};
use crate::validate::Problem;

/// The two losses of a sum, each with the tensors it would have by itself.
pub(super) struct Parts<'a> {
    weights: [f32; 2],
    z_loss: f32,
    hard: (Problem, Tensors<'a>),
    /// The loss against the label, without its z-loss.
    without_z: Problem,
    soft: (Problem, Tensors<'a>),
}

impl<'a> Parts<'a> {
    pub fn new(problem: &Problem, parts: &Distillation, inputs: &Tensors<'a>) -> Self {
        let hard = problem.part(parts.hard.loss());
        let without_z = problem.part(parts.hard.without_z_loss());
        let soft = problem.part(parts.soft.loss());
        let widths = [hard.state_width(), soft.state_width()];
        let [hard_state, soft_state] = split_states(&inputs.row_state, problem.state_width(), widths);
        let tensors = |row_state| Tensors { row_state, row_weights: None, weights: None, ..inputs.clone() };
        let hard_tensors = Tensors { targets: None, ..tensors(hard_state) };
        let soft_tensors =
            Tensors { targets: inputs.teacher.clone(), labels: Default::default(), ..tensors(soft_state) };
        Parts {
            weights: [parts.hard_weight, parts.soft_weight],
            z_loss: parts.hard.spec().rows().z_loss,
            without_z,
            hard: (hard, hard_tensors),
            soft: (soft, soft_tensors),
        }
    }

    /// Both losses of a row, weighted and summed, and the parts by themselves. `share` brings terms without class
    /// weights to the divisor of the others.
    pub fn row(&self, n: usize, share: Real) -> Option<Row> {
        let ((problem, inputs), (soft_problem, soft_inputs)) = (&self.hard, &self.soft);
        let (Maths::ClassIndex(hard), Maths::Distribution(soft)) =
            (problem.spec().maths(), soft_problem.spec().maths())
        else {
            return None;
        };
        let hard = class_index::row(problem, inputs, n, share, hard)?;
        if is_ignored(problem, inputs.labels[n]) {
            let (silent, no_label) = (vec![Real::NAN; soft_problem.state_width()], vec![Real::ZERO; 2]);
            let state = [hard.state.clone(), silent, no_label].concat();
            return Some(Row { parts: vec![Real::ZERO; 3], state, ..hard });
        }
        let t = kept_class(problem, inputs.labels[n])?;
        // The class counted from 1, as bits.
        let label = [f32::from_bits(t as u32 + 1), logits(problem, inputs, n)[t]].map(Real::from);
        let soft = distribution::row(soft_problem, soft_inputs, n, soft)?;
        let (without_z, z) = match (self.z_loss, self.without_z.spec().maths()) {
            (z_loss, Maths::ClassIndex(alone)) if z_loss != 0.0 => {
                let lse = row_softmax(problem, inputs, n)?.lse();
                (class_index::row(&self.without_z, inputs, n, share, alone)?.values, lse * lse * z_loss)
            }
            _ => (hard.values.clone(), Real::ZERO),
        };
        // A weight of 0 wins against infinity, and not against what has no value.
        let product = |weight: Real, x: Real| if x.value.is_nan() { Real::NAN } else { weight.times(x) };
        let weighted = |hard: Real, soft: Real| {
            product(Real::from(self.weights[0]), hard) + product(share * self.weights[1], soft)
        };
        let both = |hard: &[Real], soft: &[Real]| hard.iter().zip(soft).map(|(&h, &s)| weighted(h, s)).collect();
        let mut side = hard.side;
        // A divergence may be infinite without a gradient.
        if soft.state.iter().any(|number| number.value.is_nan()) {
            side.fill(Real::NAN);
        }
        Some(Row {
            side,
            values: both(&hard.values, &soft.values),
            gradient: both(&hard.gradient, &soft.gradient),
            parts: [without_z, soft.values, vec![z]].concat(),
            state: [hard.state, soft.state, label.to_vec()].concat(),
            ..Row::default()
        })
    }
}

/// The saved states of both parts, side by side at the start of each row's.
fn split_states<'a>(
    states: &Option<Cow<'a, [f32]>>,
    width: usize,
    [hard, soft]: [usize; 2],
) -> [Option<Cow<'a, [f32]>>; 2] {
    let part = |skip: usize, take: usize| {
        let rows = states.as_ref()?.chunks(width);
        Some(rows.flat_map(|row| row[skip..skip + take].iter().copied()).collect())
    };
    [part(0, hard), part(hard, soft)]
}
