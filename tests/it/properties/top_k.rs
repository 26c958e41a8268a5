//! A teacher that names k classes of a row, on every engine: `reference/top_k.rs` shows that the oracle has it right.

use rstest::rstest;
use surprisal::reference::Real;
use surprisal::{
    Form, JensenShannon, KlDivergence, LabelStorage, Loss, Pass, Reduction, Rest, ReverseKlDivergence, Storage,
    TotalVariation,
};

use super::evaluate;
use crate::losses::check;
use crate::support::case::{Case, case};
use crate::support::cases::{Batch, random_case};
use crate::support::compare::{UNITS, assert_within, numbers};
use crate::support::device::{engines, every_engine, gpus, variants};
use crate::support::planes::in_planes;
use crate::support::random::Random;
use crate::support::staged::{APART, run, saved_state};

const NAN: f32 = f32::NAN;
const INF: f32 = f32::INFINITY;
/// 2^-24, half the step of f32 below 1.
const TINY: f32 = f32::EPSILON / 2.0;
const RESTS: [Rest; 3] = [Rest::Dropped, Rest::Renormalised, Rest::Spread];

fn kl(form: Form, k: usize, rest: Rest) -> KlDivergence {
    KlDivergence::from_logits(form).top_k(k, rest).reduction(Reduction::None)
}

/// The others, which read log p: those that there are.
fn others(form: Form, k: usize, rest: Rest) -> Vec<Loss> {
    let jensen_shannon = JensenShannon::from_logits(form).beta(0.25).top_k(k, rest).reduction(Reduction::None).into();
    let variation = TotalVariation::from_logits(form).top_k(k, rest).reduction(Reduction::None).into();
    let reverse = ReverseKlDivergence::from_logits(form).top_k(k, rest).reduction(Reduction::None).into();
    match (rest, form) {
        (Rest::Spread, Form::Probs) => vec![jensen_shannon, reverse, variation],
        (Rest::Spread, _) => Vec::new(),
        _ => vec![jensen_shannon, variation],
    }
}

/// Two ids and their numbers.
type Teacher = ([i32; 2], [f32; 2]);

/// Every row of logits with every teacher of two classes.
fn pairs(rows: &[[f32; 3]], teachers: &[Teacher]) -> (Vec<f32>, Vec<i32>, Vec<f32>) {
    let pairs: Vec<_> = rows.iter().flat_map(|row| teachers.iter().map(move |teacher| (row, teacher))).collect();
    let ids = pairs.iter().flat_map(|(_, (ids, _))| *ids).collect();
    let probs = pairs.iter().flat_map(|(_, (_, probs))| *probs).collect();
    (pairs.iter().flat_map(|(row, _)| **row).collect(), ids, probs)
}

#[rstest]
fn corners_match_the_oracle(#[values(Form::Probs, Form::LogProbs)] form: Form) {
    let rows = [[0.5, -1.0, 2.0], [NAN, 0.0, 1.0], [0.0, 1.0, INF], [-INF, 0.0, 0.5], [0.0, -INF, 1.0], [-INF; 3]];
    let log = |p: f32| if form == Form::LogProbs { p.ln() } else { p };
    let teachers = [
        ([2, 0], [0.5, 0.25]),
        ([0, 1], [1.0, 0.0]),
        ([1, -1], [0.75, NAN]),
        ([-1, i32::MIN], [NAN, INF]),
        ([0, 2], [0.0, 0.0]),
        ([1, 0], [0.75, 0.5]),
        ([1, 0], [0.25, NAN]),
        ([1, 0], [INF, 0.25]),
        // What they leave of 1 is 3/4 of 2^-24; their sum in f32 leaves all of it.
        ([0, 1], [1.0 - TINY, TINY / 4.0]),
        // Below the normal numbers.
        ([1, 2], [1e-40, 0.5]),
    ];
    let teachers = teachers.map(|(ids, probs)| (ids, probs.map(log)));
    let (logits, ids, probs) = pairs(&rows, &teachers);
    for rest in RESTS {
        for loss in [&[kl(form, 2, rest).into()], &others(form, 2, rest)[..]].concat() {
            let case = case(loss, 3, &logits).named(&ids, &probs);
            check(variants(), &Case { name: format!("corners of {:?}", case.loss), ..case });
        }
    }
}

/// As many ids as may be: nearly every class of its row, and among so many that the filter errs.
#[rstest]
#[case(2, 300, &RESTS)]
#[case(1, 262_144, &RESTS[1..])]
fn many_classes_match_the_oracle(#[case] n_rows: usize, #[case] n_classes: usize, #[case] rests: &[Rest]) {
    let batch = Batch::new(n_rows, n_classes).deviation(3.0);
    for &rest in rests {
        let others = others(Form::Probs, 256, rest).into_iter();
        let others = others.filter(|loss| !matches!(loss, Loss::TotalVariation(_)));
        for loss in std::iter::once(kl(Form::Probs, 256, rest).into()).chain(others) {
            check(engines(), &random_case(loss, batch));
        }
    }
}

/// As many ids as may be in rows that neighbours in a vector stand on: on llvmpipe the longest whose loops do not end
/// early.
#[test]
fn many_ids_in_planes_match_the_oracle() {
    let [jensen_shannon, _] = &others(Form::Probs, 256, Rest::Dropped)[..] else { panic!("two") };
    let rows = random_case(jensen_shannon.clone(), Batch::new(32, 4 * (12288 / 18)).deviation(3.0));
    check(engines(), &in_planes(&rows, 32, [0; 3]));
}

/// The results of a pass as numbers, and how far each may be off.
fn assert_matches_oracle(found: &[u32], oracle: &[Real], name: &str) {
    let found: Vec<f64> = found.iter().map(|&bits| f32::from_bits(bits).into()).collect();
    let bound = |i: usize| (UNITS * oracle[i].rounding + oracle[i].value.abs()) / f64::from(1 << 24) + 1e-35;
    assert_within(name, &found, &numbers(oracle), bound);
}

/// On a device nobody looks at ids before the kernel does: one out of range poisons its row and is never followed, and
/// the masses of a class named twice add up.
#[test]
fn what_the_host_refuses_is_safe_on_a_device() {
    let logits = Random::new(5).grid(8 * 6, -4, 4);
    let ids = [0, 5, 0, 6, i32::MAX, 1, 2, 2, 3, 4, -7, 1, 1 << 20, 0, 5, 3];
    let probs = [0.5, 0.25, 0.5, 0.25, 0.5, 0.25, 0.5, 0.25, -0.5, 0.25, -0.5, 0.25, 0.5, 0.25, 0.5, 0.25];
    let losses = RESTS.map(|rest| [&[kl(Form::Probs, 2, rest).into()], &others(Form::Probs, 2, rest)[..]].concat());
    for (loss, engine) in losses.concat().into_iter().flat_map(|loss| gpus().map(move |engine| (loss.clone(), engine)))
    {
        let case = case(loss.clone(), 6, &logits).named(&ids, &probs);
        let oracle = case.evaluate(Pass::ForwardBackward);
        for pass in [Pass::Forward, Pass::ForwardBackward, Pass::Backward] {
            let found = run(engine, &case, pass, APART, &saved_state(engine, &case, pass));
            let name = format!("{pass:?} of {loss:?} on {}", engine.backend());
            if pass != Pass::Backward {
                assert_matches_oracle(&found.values, &oracle.values, &name);
            }
            if pass != Pass::Forward {
                assert_matches_oracle(&found.dlogits, oracle.dlogits.as_deref().expect("a gradient"), &name);
            }
        }
    }
}

/// As many as may be, of which a class named twice is found whatever lies between; its masses add up.
#[test]
fn ids_that_repeat_far_apart_are_counted_once_on_a_device() {
    const K: usize = 64;
    for loss in [kl(Form::Probs, K, Rest::Spread).into(), others(Form::Probs, K, Rest::Spread).remove(0)] {
        let sound = random_case(loss, Batch::new(20, 300).deviation(3.0));
        let mut case = sound.clone();
        let ids = case.labels.as_mut().expect("a teacher");
        for (row, ids) in ids.chunks_mut(K).enumerate() {
            // Of each row three classes, from anywhere to anywhere behind it: slots are read sixteen at a time.
            for (k, apart) in [row + 1, 2 * row + 2, 3 * row + 3].into_iter().enumerate() {
                let slot = (5 * row + 7 * k) % (K - apart);
                ids[slot + apart] = ids[slot];
            }
        }
        let oracle = case.evaluate(Pass::Forward);
        for engine in gpus() {
            let found = run(engine, &case, Pass::Forward, APART, &[]);
            assert_matches_oracle(&found.values, &oracle.values, &format!("{} on {}", case.name, engine.backend()));
        }
    }
}

/// Ids stay with their masses; which of them a lane sums is another.
#[test]
fn the_order_of_slots_changes_no_more_than_rounding() {
    for rest in RESTS {
        let forth = random_case(kl(Form::Probs, 64, rest).into(), Batch::new(3, 1028).deviation(3.0));
        let reversed = |slots: &[i32]| slots.chunks(64).flat_map(|row| row.iter().rev().copied()).collect::<Vec<_>>();
        let probs = forth.target_probs.as_deref().expect("a teacher");
        let probs: Vec<f32> = probs.chunks(64).flat_map(|row| row.iter().rev().copied()).collect();
        let back = forth.clone().named(&reversed(forth.labels.as_deref().expect("a teacher")), &probs);
        let oracle = back.evaluate(Pass::ForwardBackward);
        for (name, engine) in every_engine() {
            let [forth, back] = [&forth, &back].map(|case| evaluate(engine, case, Pass::ForwardBackward));
            let doubles = |numbers: &[f32]| numbers.iter().copied().map(f64::from).collect::<Vec<_>>();
            let bound = |real: &Real| 2.0 * UNITS * real.rounding / f64::from(1 << 24) + 1e-35;
            assert_within(name, &doubles(&back.values), &doubles(&forth.values), |i| bound(&oracle.values[i]));
            let gradient = oracle.dlogits.as_ref().expect("a gradient");
            let [forth, back] = [forth, back].map(|output| doubles(&output.dlogits.expect("a gradient")));
            assert_within(name, &back, &forth, |i| bound(&gradient[i]));
        }
    }
}

/// As images have it, with ids of 64 bits and log-probabilities of 16.
#[test]
fn ids_and_masses_of_planes_lie_by_the_row() {
    let rows = random_case(kl(Form::LogProbs, 3, Rest::Spread).into(), Batch::new(10, 9));
    let mut planes = in_planes(&rows, 5, [2, 1, 3]);
    planes.shape = planes.shape.storage(Storage::F16).label_storage(LabelStorage::I64);
    check(engines(), &planes);
}
