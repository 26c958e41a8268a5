//! Labels on the device: in range, ignored, or out of range.

use rstest::rstest;
use surprisal::{
    CrossEntropy, Distillation, Form, GpuEngine, KlDivergence, Loss, NegativeLogLikelihood, Pass, Reduction, Rest,
    SoftmaxFocal,
};

use crate::losses;
use crate::support::case::Case;
use crate::support::cases::{Batch, random_case};
use crate::support::device::{default_gpus, engines, gpus};
use crate::support::spec::with_reduction;
use crate::support::staged::{APART, ARENA, Bits, Layout, run, saved_state};

const NAN: u32 = 0x7fc0_0000;
const N_ROWS: usize = 5;
const ROW: usize = 2;
/// Rows whole words wide and not, short and long.
const N_CLASSES: [usize; 3] = [6, 8, 1025];
const PASSES: [Pass; 3] = [Pass::Forward, Pass::ForwardBackward, Pass::Backward];

fn losses() -> Vec<Loss> {
    vec![
        CrossEntropy::new().into(),
        CrossEntropy::new().ignore_index(-100).class_weights([0.5, 2.0]).label_smoothing(0.125).into(),
        SoftmaxFocal::new(2.0).alpha([0.25, 0.75]).into(),
        SoftmaxFocal::new(0.5).ignore_index(1_000_000).into(),
        NegativeLogLikelihood::new().ignore_index(-100).class_weights([0.5, 2.0]).into(),
        distillation(KlDivergence::from_logits(Form::Probs)),
        distillation(KlDivergence::from_logits(Form::Probs).top_k(3, Rest::Spread)),
    ]
}

fn distillation(soft: KlDivergence) -> Loss {
    Distillation::new(CrossEntropy::new().ignore_index(-100), soft).into()
}

/// Five rows; the label of row 2 is this one.
fn labelled(loss: &Loss, n_classes: usize, label: i32) -> Case {
    let mut case = random_case(loss.clone(), Batch::new(N_ROWS, n_classes));
    case.labels.as_mut().expect("a loss with labels")[ROW] = label;
    case.name = format!("{} with label {label} in row {ROW}", case.name);
    case
}

/// The results with row 2 replaced: every value and every number of the gradient.
fn with_row(bits: &Bits, n_classes: usize, value: u32) -> Bits {
    let mut bits = bits.clone();
    let n_values = bits.values.len() / N_ROWS;
    bits.values.iter_mut().skip(ROW * n_values).take(n_values).for_each(|v| *v = value);
    bits.dlogits.iter_mut().skip(ROW * n_classes).take(n_classes).for_each(|g| *g = value);
    bits.row_state.clear();
    bits
}

/// Every result of a pass but the row state, with that of the case's own forward pass before a backward one. One NaN is
/// as good as another.
fn results(engine: &GpuEngine, case: &Case, pass: Pass, layout: Layout) -> Bits {
    let bits = run(engine, case, pass, layout, &saved_state(engine, case, pass));
    let plain = |words: Vec<u32>| words.into_iter().map(|w| if f32::from_bits(w).is_nan() { NAN } else { w }).collect();
    Bits { values: plain(bits.values), dlogits: plain(bits.dlogits), ..Bits::default() }
}

/// On all of these engines, whatever the pass.
fn assert_poisons_its_row<'a>(engines: impl Iterator<Item = &'a GpuEngine>, loss: &Loss, n_classes: usize) {
    let (loss, limit) = (with_reduction(loss, Reduction::None), n_classes as i32);
    for (engine, pass) in engines.flat_map(|engine| PASSES.map(|pass| (engine, pass))) {
        let sound = results(engine, &labelled(&loss, n_classes, 1), pass, APART);
        for label in [-1, limit, limit + 1, -limit, i32::MIN, i32::MAX] {
            let case = labelled(&loss, n_classes, label);
            for layout in [APART, ARENA.shift(1)] {
                let found = results(engine, &case, pass, layout);
                assert_eq!(found, with_row(&sound, n_classes, NAN), "{pass:?}, {layout:?}, {}", case.name);
            }
        }
    }
}

#[test]
fn a_label_out_of_range_poisons_its_row_and_no_other_bit() {
    let sizes = N_CLASSES.into_iter().cycle();
    losses().iter().zip(sizes).for_each(|(loss, n_classes)| assert_poisons_its_row(gpus(), loss, n_classes));
}

/// Whatever the label, even one that would be in range or out of it.
#[rstest]
fn an_ignored_row_is_zero_and_no_other_bit_changes(#[values(0, 1, -1, -100, 6, i32::MIN, i32::MAX)] ignored: i32) {
    for loss in
        [Loss::from(CrossEntropy::new().ignore_index(ignored)), SoftmaxFocal::new(2.0).ignore_index(ignored).into()]
    {
        let loss = with_reduction(&loss, Reduction::None);
        for (engine, pass) in gpus().flat_map(|engine| PASSES.map(|pass| (engine, pass))) {
            let neighbour = if ignored == 5 { 4 } else { 5 };
            let sound = results(engine, &labelled(&loss, 6, neighbour), pass, APART);
            let found = results(engine, &labelled(&loss, 6, ignored), pass, APART);
            assert_eq!(found, with_row(&sound, 6, 0), "{pass:?} of {loss:?}");
        }
    }
}

/// Such a row weighs nothing in a counted divisor: four labels are left, or N where the divisor is known beforehand.
#[rstest]
#[case(CrossEntropy::new().ignore_index(-100), 4.0)]
#[case(SoftmaxFocal::new(2.0).ignore_index(-100), 4.0)]
#[case(CrossEntropy::new(), 5.0)]
#[case(SoftmaxFocal::new(2.0), 5.0)]
fn a_label_out_of_range_makes_the_mean_nan_and_divides_by_the_rest(
    #[case] loss: impl Into<Loss>,
    #[case] divisor: f32,
) {
    let loss = loss.into();
    for engine in gpus() {
        let case = |reduction| {
            let mut case = labelled(&with_reduction(&loss, reduction), 6, 6);
            case.labels.as_mut().expect("a loss with labels")[1] = 1;
            case
        };
        let mean = run(engine, &case(Reduction::Mean), Pass::ForwardBackward, APART, &[]);
        let by_number = run(engine, &case(Reduction::SumDividedBy(divisor)), Pass::ForwardBackward, APART, &[]);
        assert_eq!(mean.values, [NAN], "{loss:?}");
        assert_eq!(mean.dlogits, by_number.dlogits, "{loss:?}");
    }
}

/// Software adapters end long loops without a word: a lane that counts looks through the list for each of its rows.
#[test]
fn the_longest_list_of_ignored_labels_is_looked_through_to_its_end() {
    let mut loss = CrossEntropy::new().class_weights([0.5, 2.0]);
    loss.ignore_index = (0..1024).map(|n| -1 - n).collect();
    let mut case = random_case(loss.into(), Batch::new(1000, 2));
    case.labels = Some((0..1000).map(|n| if n % 3 == 0 { -1024 + n % 2 } else { n % 2 }).collect());
    case.name = "1024 ignored labels".to_string();
    losses::check(engines(), &case);
}

mod full {
    use super::*;

    #[test]
    fn a_label_out_of_range_poisons_its_row_and_no_other_bit() {
        for n_classes in N_CLASSES {
            losses().iter().for_each(|loss| assert_poisons_its_row(default_gpus(), loss, n_classes));
        }
    }
}
