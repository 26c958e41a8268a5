//! One table of cases: every pair of attributes, and every triple of those that meet in one kernel, on every engine
//! against the oracle. [`axes`] has the attributes, [`array`] finds few rows in which all of these occur, [`trial`]
//! makes a row a call.
mod array;
mod axes;
mod edge;
mod options;
mod trial;

use std::collections::{HashMap, HashSet};
use std::sync::OnceLock;

use surprisal::kernel::{Kernel, Program, Variant};
use surprisal::{Engine, GpuEngine};

use crate::support::bits::Record;
use crate::support::device::{cpu, open_as};
use array::{Combinations, Row, Rules, cover};
use axes::{Axis, LANES, Lanes, N_AXES, PASSES, Table};
pub use options::ignoring;
use trial::{Trial, family_name};

const SEED: u64 = 18;
/// Combinations that may meet. What a loss takes is asked of the library, which could come to refuse too much.
const POSSIBLE: usize = 32_198;

fn rows() -> Vec<Row> {
    let table = Table::new();
    cover(&table, &Combinations::new(&table.features, &table.groups, N_AXES), SEED)
}

/// The cases of a share.
fn trials(family: &str, part: usize, parts: usize) -> Vec<Trial> {
    let table = Table::new();
    let rows = rows();
    let mut trials: Vec<Trial> = rows
        .iter()
        .enumerate()
        .filter(|(_, row)| family_name(&table.losses[row[Axis::Loss as usize]]) == family)
        .map(|(number, row)| Trial::new(&table, number, row))
        .collect();
    // Those of one engine side by side: a share has few engines, and a pipeline serves all its cases.
    trials.sort_by_key(|trial| trial.lanes as usize);
    let share = trials.len().div_ceil(parts);
    trials.into_iter().skip(part * share).take(share).collect()
}

/// Engines as they are asked for.
fn engine(lanes: Lanes) -> Option<&'static GpuEngine> {
    static ENGINES: [OnceLock<Option<Engine>>; LANES.len()] = [const { OnceLock::new() }; LANES.len()];
    let open = || {
        let variant = if (lanes as usize).is_multiple_of(2) { Variant::Workgroup } else { Variant::Subgroup };
        open_as(variant, |options| match lanes {
            Lanes::Workgroup | Lanes::Subgroup => {}
            Lanes::Workgroup256 | Lanes::Subgroup256 => options.workgroup_size = Some(256),
            Lanes::WorkgroupBy4 | Lanes::SubgroupBy4 => options.lanes = Some(4),
            Lanes::CheckedWorkgroup | Lanes::CheckedSubgroup => options.checked = true,
        })
    };
    ENGINES[lanes as usize].get_or_init(open).as_ref().and_then(Engine::gpu)
}

fn check(family: &str, part: usize, parts: usize) {
    let mut record = Record::open(&format!("{family}_{part}"));
    for trial in trials(family, part, parts) {
        let on_cpu = trial.check_evaluated("CPU", &cpu().1);
        record.keep(&format!("{} CPU", trial.number), &on_cpu);
        if let Some(gpu) = engine(trial.lanes) {
            record.keep(&format!("{} {:?}", trial.number, trial.lanes), &trial.check(gpu, &on_cpu));
        }
    }
    record.close();
}

/// A test for each share, run in a process of its own.
macro_rules! shares {
    ($($family:ident: [$($name:ident),+]),+) => {
        /// Families and the shares that their cases are dealt to.
        const SHARES: &[(&str, usize)] = &[$((stringify!($family), [$(stringify!($name)),+].len())),+];
        $(shares!(@family $family, [], [$($name),+], [$($name),+]);)+
    };
    (@family $family:ident, [$($before:ident),*], [], $all:tt) => {};
    (@family $family:ident, [$($before:ident),*], [$name:ident $(, $after:ident)*], [$($all:ident),+]) => {
        #[test]
        fn $name() {
            let parts = [$(stringify!($all)),+];
            let before: [&str; _] = [$(stringify!($before)),*];
            check(stringify!($family), before.len(), parts.len());
        }
        shares!(@family $family, [$($before,)* $name], [$($after),*], [$($all),+]);
    };
}
shares!(
    softmax: [softmax],
    class_index: [class_index],
    given_log_prob: [given_log_prob],
    distribution: [distribution_0, distribution_1],
    distillation: [distillation_0, distillation_1],
    row_entropy: [row_entropy],
    elementwise: [elementwise]
);

/// Of the combinations asked for, each that the rules leave possible is in some row, and no row breaks the rules.
#[test]
fn every_pair_and_every_triple_that_meets_in_a_kernel_is_covered() {
    let table = Table::new();
    let combinations = Combinations::new(&table.features, &table.groups, N_AXES);
    let rows = rows();
    let covered: HashSet<usize> = rows.iter().flat_map(|row| combinations.in_row(row)).collect();
    let possible: Vec<usize> = (0..combinations.len()).filter(|&c| combinations.is_possible(&table, c)).collect();
    for &combination in &possible {
        assert!(covered.contains(&combination), "not covered: {:?}", combinations.parts(combination));
    }
    for row in &rows {
        assert!(table.allows(&row.iter().copied().map(Some).collect()), "{row:?}");
    }
    println!("{} rows have {} combinations of {}", rows.len(), possible.len(), combinations.len());
    assert_eq!(possible.len(), POSSIBLE, "fewer: something is refused that was not; more: say so above");
}

/// Every program of the registry in every pass and on both variants, and every row in one share.
#[test]
fn every_loss_pass_and_variant_occurs() {
    let (table, rows) = (Table::new(), rows());
    let loss = |row: &Row| &table.losses[row[Axis::Loss as usize]];
    let mut met: HashMap<_, HashSet<(Axis, usize)>> = HashMap::new();
    for row in &rows {
        // A reduction may make it another program.
        let partial = row.iter().copied().map(Some).collect();
        let loss = table.loss(&partial, 6).expect("the loss takes its options");
        let met = met.entry((loss.name(), loss.family())).or_default();
        met.extend([(Axis::Pass, row[Axis::Pass as usize]), (Axis::Engine, row[Axis::Engine as usize] % 2)]);
    }
    for kernel in Kernel::all() {
        if let Program::Loss { loss, family, .. } = kernel.program {
            let met = met.get(&(loss, family)).map_or(0, HashSet::len);
            assert_eq!(met, PASSES.len() + 2, "passes and variants of {loss}, {family:?}");
        }
    }
    let dealt: usize =
        SHARES.iter().map(|(family, _)| rows.iter().filter(|row| family_name(loss(row)) == *family).count()).sum();
    assert_eq!(dealt, rows.len(), "rows of a family that has a share");
}
