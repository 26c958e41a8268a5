//! A teacher that names k classes: the dense divergence from the P it stands for, and the corners of what it stores.

use rstest::rstest;
use surprisal::{
    Form, JensenShannon, KlDivergence, Loss, Pass, Reduction, Rest, ReverseKlDivergence, RowWeights, TotalVariation,
};

use crate::support::case::{Case, case};
use crate::support::compare::{assert_close, numbers};
use crate::support::random::Random;

const RESTS: [Rest; 3] = [Rest::Dropped, Rest::Renormalised, Rest::Spread];
const N_CLASSES: usize = 7;
const NAN: f32 = f32::NAN;
/// A few roundings of f64.
const ULPS: f64 = 8.0 * f64::EPSILON;

fn kl(form: Form) -> KlDivergence {
    KlDivergence::from_logits(form).reduction(Reduction::None)
}

/// One row of seven random logits.
fn row(loss: impl Into<Loss>, ids: &[i32], probs: &[f32]) -> Case {
    case(loss, N_CLASSES, &Random::new(5).grid(N_CLASSES, -4, 4)).named(ids, probs)
}

fn top(rest: Rest, ids: &[i32], probs: &[f32]) -> Case {
    row(kl(Form::Probs).top_k(ids.len(), rest), ids, probs)
}

#[track_caller]
fn assert_same(found: &Case, expected: &Case, bound: f64) {
    let name = format!("{} against {}", found.name, expected.name);
    assert_close(&name, &found.losses(), &expected.losses(), bound);
    assert_close(&name, &found.gradient(), &expected.gradient(), bound);
    let backward = |case: &Case| numbers(&case.evaluate_backward().dlogits.expect("a gradient"));
    assert_close(&name, &backward(found), &backward(expected), bound);
}

/// The row with a teacher of these seven numbers.
fn stood_for(dense: &[f32]) -> Case {
    let logits = Random::new(5).grid(N_CLASSES, -4, 4);
    case(kl(Form::Probs), N_CLASSES, &logits).values(dense)
}

/// Half of the mass is named, so that what P is has no rounding: the rest is 1/8 for each of four classes.
#[rstest]
#[case(Rest::Dropped, [0.125, 0.0, 0.0, 0.25, 0.0, 0.125, 0.0])]
#[case(Rest::Renormalised, [0.25, 0.0, 0.0, 0.5, 0.0, 0.25, 0.0])]
#[case(Rest::Spread, [0.125, 0.125, 0.125, 0.25, 0.125, 0.125, 0.125])]
fn it_is_the_divergence_from_what_it_stands_for(
    #[case] rest: Rest,
    #[case] dense: [f32; N_CLASSES],
    #[values(1.0, 3.0)] temperature: f32,
) {
    let loss = kl(Form::Probs).temperature(temperature).scaled_by_t_squared();
    let named = row(loss.clone().top_k(3, rest), &[3, 0, 5], &[0.25, 0.125, 0.125]);
    assert_same(&named, &Case { loss: loss.into(), ..stood_for(&dense) }, 0.0);
}

#[rstest]
#[case(Rest::Dropped, [0.125, 0.0, 0.0, 0.25, 0.0, 0.125, 0.0])]
#[case(Rest::Renormalised, [0.25, 0.0, 0.0, 0.5, 0.0, 0.25, 0.0])]
#[case(Rest::Spread, [0.125, 0.125, 0.125, 0.25, 0.125, 0.125, 0.125])]
fn other_divergences_are_from_what_it_stands_for(#[case] rest: Rest, #[case] dense: [f32; N_CLASSES]) {
    let jensen_shannon = JensenShannon::from_logits(Form::Probs).beta(0.25).reduction(Reduction::None);
    let variation = TotalVariation::from_logits(Form::Probs).temperature(3.0).reduction(Reduction::None);
    let pairs: [(Loss, Loss); 2] = [
        (jensen_shannon.clone().top_k(3, rest).into(), jensen_shannon.into()),
        (variation.clone().top_k(3, rest).into(), variation.into()),
    ];
    let reverse = ReverseKlDivergence::from_logits(Form::Probs).reduction(Reduction::None);
    let reverse = (rest == Rest::Spread).then(|| (reverse.clone().top_k(3, rest).into(), reverse.into()));
    for (named, loss) in pairs.into_iter().chain(reverse) {
        let named = row(named, &[3, 0, 5], &[0.25, 0.125, 0.125]);
        assert_same(&named, &Case { loss, ..stood_for(&dense) }, 0.0);
    }
}

/// Seven classes, all logits alike: five of q = 1/7 share 3 x 2^-26, and two have the rest.
#[test]
fn what_is_spread_is_what_the_masses_leave() {
    let tiny = f32::EPSILON / 2.0;
    let loss = ReverseKlDivergence::from_logits(Form::Probs).reduction(Reduction::None).top_k(2, Rest::Spread);
    let case = case(loss, N_CLASSES, &[0.0; N_CLASSES]).named(&[0, 1], &[1.0 - tiny, tiny / 4.0]);
    let [tiny, sevenths] = [f64::from(tiny), 1.0 / 7.0];
    let log_p = (-tiny).ln_1p() + (tiny / 4.0).ln() + 5.0 * (0.75 * tiny / 5.0).ln();
    assert_close(&case.name, &case.losses(), &[sevenths.ln() - sevenths * log_p], 32.0 * ULPS);
}

#[rstest]
fn masses_stay_among_the_normal_numbers(
    #[values((Form::Probs, 1e-40, f32::MIN_POSITIVE), (Form::LogProbs, -95.0, -87.0))] (form, below, least): (
        Form,
        f32,
        f32,
    ),
) {
    let of = |number| row(JensenShannon::from_logits(form).top_k(2, Rest::Renormalised), &[1, 2], &[number, number]);
    assert_same(&of(below), &of(least), 0.0);
}

/// Equal logits of four classes: `1/2 (log 1/2 - log 1/4)`, twice that of all the mass, or with the rest's
/// `3 x 1/6 (log 1/6 - log 1/4)`.
#[rstest]
#[case(Rest::Dropped, 0.5 * 2.0_f64.ln(), [0.125, -0.375])]
#[case(Rest::Renormalised, 4.0_f64.ln(), [0.25, -0.75])]
#[case(Rest::Spread, 0.5 * 2.0_f64.ln() + 0.5 * (2.0_f64 / 3.0).ln(), [0.25 - 1.0 / 6.0, -0.25])]
fn one_class_of_four_by_hand(#[case] rest: Rest, #[case] loss: f64, #[case] slopes: [f64; 2]) {
    let case = case(kl(Form::Probs).top_k(1, rest), 4, &[1.5; 4]).named(&[1], &[0.5]);
    let [other, named] = slopes;
    assert_close(&case.name, &case.losses(), &[loss], ULPS);
    assert_close(&case.name, &case.gradient(), &[other, named, other, other], ULPS);
}

#[test]
fn a_teacher_that_names_every_class_is_dense() {
    let probs = [0.125, 0.25, 0.0625, 0.0625, 0.125, 0.25, 0.125];
    let ids = [6, 0, 1, 5, 4, 3, 2];
    let mut dense = [0.0; N_CLASSES];
    ids.iter().zip(probs).for_each(|(&id, p)| dense[id as usize] = p);
    RESTS.iter().for_each(|&rest| assert_same(&top(rest, &ids, &probs), &stood_for(&dense), ULPS));
}

/// The whole mass is named: nothing is left to be dropped, shared out or spread.
#[test]
fn rests_agree_where_there_is_none() {
    let [dropped, renormalised, spread] = RESTS.map(|rest| top(rest, &[4, 1, 2], &[0.5, 0.25, 0.25]));
    assert_same(&renormalised, &dropped, 0.0);
    assert_same(&spread, &dropped, 0.0);
}

#[test]
fn masses_beyond_one_leave_nothing_to_spread() {
    let [dropped, _, spread] = RESTS.map(|rest| top(rest, &[4, 1], &[0.75, 0.5]));
    assert_same(&spread, &dropped, 0.0);
}

#[rstest]
fn log_probabilities_are_probabilities(#[values(Rest::Dropped, Rest::Renormalised, Rest::Spread)] rest: Rest) {
    let probs = [0.5_f32, 0.25, 0.0];
    let logs = row(kl(Form::LogProbs).top_k(3, rest), &[4, 1, 2], &probs.map(f32::ln));
    // A logarithm rounded to f32 is a probability so much off.
    assert_same(&logs, &top(rest, &[4, 1, 2], &probs), 4.0 * f64::from(f32::EPSILON));
}

#[rstest]
fn the_order_of_slots_is_free(#[values(Rest::Dropped, Rest::Renormalised, Rest::Spread)] rest: Rest) {
    let expected = top(rest, &[4, 1, 6, 0], &[0.3, 0.05, 0.2, 0.11]);
    assert_same(&top(rest, &[0, 6, 4, 1], &[0.11, 0.2, 0.3, 0.05]), &expected, ULPS);
}

#[rstest]
fn slots_with_a_negative_id_are_not_there(
    #[values(Rest::Dropped, Rest::Renormalised, Rest::Spread)] rest: Rest,
    #[values(-1, -100, i32::MIN)] unused: i32,
) {
    let expected = top(rest, &[4, 1], &[0.3, 0.2]);
    assert_same(&top(rest, &[unused, 4, 1, unused], &[NAN, 0.3, 0.2, 7.0]), &expected, 0.0);
}

/// Four others share a half; were those without mass not named, six would.
#[test]
fn a_class_named_without_mass_is_named() {
    let mut dense = [0.125; N_CLASSES];
    (dense[0], dense[6], dense[5]) = (0.5, 0.0, 0.0);
    assert_same(&top(Rest::Spread, &[0, 6, 5], &[0.5, 0.0, 0.0]), &stood_for(&dense), 0.0);
}

#[rstest]
#[case(&[-1, -1], &[NAN, NAN])]
#[case(&[3, 1], &[0.0, 0.0])]
fn a_row_without_mass_costs_nothing_unless_it_is_spread(#[case] ids: &[i32], #[case] probs: &[f32]) {
    for rest in [Rest::Dropped, Rest::Renormalised] {
        let case = top(rest, ids, probs);
        assert_close(&case.name, &case.losses(), &[0.0], ULPS);
        assert_eq!(case.gradient(), [0.0; N_CLASSES], "{}", case.name);
    }
    let spread = top(Rest::Spread, ids, probs);
    assert!(spread.losses()[0] > 0.0, "{}", spread.name);
    assert_close(&spread.name, &[spread.gradient().iter().sum()], &[0.0], ULPS);
}

/// Devices do not look for them; the host refuses them.
#[test]
fn masses_of_a_class_named_twice_add_up() {
    for rest in RESTS {
        assert_same(&top(rest, &[4, 1, 4], &[0.25, 0.125, 0.125]), &top(rest, &[4, 1], &[0.375, 0.125]), ULPS);
    }
}

#[rstest]
#[case(-0.25, 1)]
#[case(NAN, 1)]
#[case(f32::INFINITY, 1)]
#[case(0.25, N_CLASSES as i32)]
#[case(0.25, i32::MAX)]
fn a_slot_without_a_value_poisons_its_row_and_no_other(#[case] p: f32, #[case] id: i32) {
    let logits = Random::new(5).grid(3 * N_CLASSES, -4, 4);
    for rest in RESTS {
        let loss = kl(Form::Probs).top_k(2, rest).row_weights(RowWeights::Scale);
        let case = case(loss, N_CLASSES, &logits).named(&[0, 1, 0, id, 0, id], &[0.5, 0.25, 0.5, p, 0.5, p]);
        let case = case.row_weights(&[1.0, 1.0, 0.0]);
        let (losses, gradient) = (case.losses(), case.gradient());
        let rows: Vec<_> = gradient.chunks(N_CLASSES).collect();
        assert!(losses[0].is_finite() && losses[1].is_nan() && losses[2] == 0.0, "{}: {losses:?}", case.name);
        assert!(rows[0].iter().all(|g| g.is_finite()) && rows[1].iter().all(|g| g.is_nan()), "{}", case.name);
        assert_eq!(rows[2], [0.0; N_CLASSES], "{}", case.name);
    }
}

/// A mask costs infinity where P has mass, and nothing where it has none.
#[test]
fn masks_cost_what_is_there() {
    let masked = |rest, at: usize| {
        let mut case = top(rest, &[4, 1], &[0.5, 0.25]);
        case.logits[at] = f32::NEG_INFINITY;
        (case.losses()[0], case.gradient()[at])
    };
    for rest in RESTS {
        let named = masked(rest, 4);
        assert!(named.0 == f64::INFINITY && named.1 < 0.0, "{rest:?}: {named:?}");
        let other = masked(rest, 0);
        assert_eq!(other.0 == f64::INFINITY, rest == Rest::Spread, "{rest:?}: {other:?}");
        assert_eq!(other.1 == 0.0, rest != Rest::Spread, "{rest:?}: {other:?}");
    }
}

#[test]
fn a_mean_over_the_batch_counts_rows() {
    let logits = Random::new(5).grid(2 * N_CLASSES, -4, 4);
    let of = |reduction| {
        let loss = kl(Form::Probs).top_k(1, Rest::Dropped).reduction(reduction);
        case(loss, N_CLASSES, &logits).named(&[0, 3], &[0.5, 0.25]).evaluate(Pass::Forward).values[0].value
    };
    assert_close("a batch mean", &[of(Reduction::BatchMean)], &[of(Reduction::Sum) / 2.0], ULPS);
    assert_close("a mean", &[of(Reduction::Mean)], &[of(Reduction::Sum) / 14.0], ULPS);
}
