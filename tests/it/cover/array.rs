//! Covering arrays: few rows in which every combination that is asked for occurs. Each row begins with a combination
//! that no row has yet, and takes of every other axis the level that meets most of those still missing (AETG: Cohen,
//! Dalal, Fredman & Patton 1997).

use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// One level per axis, by axis.
pub type Row = Vec<usize>;
/// The same while some are open.
pub type Partial = Vec<Option<usize>>;

/// What may meet.
pub trait Rules {
    /// How many levels each axis has.
    fn levels(&self) -> &[usize];
    /// Whether some row has these levels, as far as that can be told from them.
    fn allows(&self, partial: &Partial) -> bool;
}

/// An axis, its levels put into classes: what a combination looks at.
#[derive(Clone, Debug)]
pub struct Feature {
    pub axis: usize,
    pub class_of: Vec<usize>,
    pub n_classes: usize,
}

impl Feature {
    /// Each class must have a level.
    pub fn new(axis: usize, n_levels: usize, class_of: impl Fn(usize) -> usize) -> Self {
        let class_of: Vec<_> = (0..n_levels).map(class_of).collect();
        Feature { axis, n_classes: class_of.iter().max().map_or(0, |most| most + 1), class_of }
    }

    fn class(&self, row: &Partial) -> Option<usize> {
        row[self.axis].map(|level| self.class_of[level])
    }
}

/// Features of which every combination of classes that the rules allow has to occur.
pub type Group = Vec<usize>;

/// The combinations of some groups of features.
pub struct Combinations<'a> {
    features: &'a [Feature],
    groups: &'a [Group],
    /// Where each group's combinations start among all.
    starts: Vec<usize>,
    len: usize,
    /// The groups that each axis takes part in.
    groups_of: Vec<Vec<usize>>,
}

impl<'a> Combinations<'a> {
    pub fn new(features: &'a [Feature], groups: &'a [Group], n_axes: usize) -> Self {
        let (mut starts, mut len) = (Vec::new(), 0);
        let mut groups_of = vec![Vec::new(); n_axes];
        for (g, group) in groups.iter().enumerate() {
            starts.push(len);
            len += group.iter().map(|&f| features[f].n_classes).product::<usize>();
            group.iter().for_each(|&f| groups_of[features[f].axis].push(g));
        }
        Combinations { features, groups, starts, len, groups_of }
    }

    pub fn len(&self) -> usize {
        self.len
    }

    /// Features and their classes.
    pub fn parts(&self, combination: usize) -> Vec<(&'a Feature, usize)> {
        let g = self.starts.partition_point(|&start| start <= combination) - 1;
        let mut rest = combination - self.starts[g];
        let part = |&f: &usize| {
            let feature = &self.features[f];
            let class = rest % feature.n_classes;
            rest /= feature.n_classes;
            (feature, class)
        };
        self.groups[g].iter().map(part).collect()
    }

    /// The number of a group's combination in a row, if the row has come so far.
    fn of(&self, g: usize, row: &Partial) -> Option<usize> {
        let (mut number, mut unit) = (self.starts[g], 1);
        for &f in &self.groups[g] {
            number += unit * self.features[f].class(row)?;
            unit *= self.features[f].n_classes;
        }
        Some(number)
    }

    /// Those that a row has.
    pub fn in_row(&self, row: &Row) -> impl Iterator<Item = usize> {
        let row: Partial = row.iter().copied().map(Some).collect();
        (0..self.groups.len()).filter_map(move |g| self.of(g, &row))
    }

    /// The levels that remain of each axis in rows with this combination.
    fn domains(&self, rules: &impl Rules, combination: usize) -> Vec<Vec<usize>> {
        let mut domains: Vec<Vec<usize>> = rules.levels().iter().map(|&n| (0..n).collect()).collect();
        for (feature, class) in self.parts(combination) {
            domains[feature.axis].retain(|&level| feature.class_of[level] == class);
        }
        domains
    }

    /// Whether some row has it.
    pub fn is_possible(&self, rules: &impl Rules, combination: usize) -> bool {
        let domains = self.domains(rules, combination);
        let mut order: Vec<usize> = self.parts(combination).iter().map(|(feature, _)| feature.axis).collect();
        order.extend((0..domains.len()).filter(|axis| !order.contains(axis)).collect::<Vec<_>>());
        order.dedup();
        complete(rules, &domains, &order, &mut vec![None; domains.len()])
    }
}

/// Whether the open axes of an order can be filled, first levels first.
fn complete(rules: &impl Rules, domains: &[Vec<usize>], order: &[usize], row: &mut Partial) -> bool {
    let Some((&axis, rest)) = order.split_first() else { return true };
    if row[axis].is_some() {
        return complete(rules, domains, rest, row);
    }
    for &level in &domains[axis] {
        row[axis] = Some(level);
        if rules.allows(row) && complete(rules, domains, rest, row) {
            row[axis] = None;
            return true;
        }
    }
    row[axis] = None;
    false
}

/// Rows to choose from, each of another order of axes: more candidates, fewer rows, and more time to find them.
const CANDIDATES: usize = 8;

/// Rows that have every possible combination.
pub fn cover(rules: &impl Rules, combinations: &Combinations<'_>, seed: u64) -> Vec<Row> {
    let random = &mut ChaCha8Rng::seed_from_u64(seed);
    let mut missing: Vec<bool> = (0..combinations.len()).map(|c| combinations.is_possible(rules, c)).collect();
    let mut open: Vec<usize> = (0..missing.len()).filter(|&c| missing[c]).collect();
    open.shuffle(random);
    let mut rows = Vec::new();
    while let Some(combination) = open.pop() {
        if !missing[combination] {
            continue;
        }
        let candidates = (0..CANDIDATES).map(|_| row_with(rules, combinations, combination, &missing, random));
        let row = candidates
            .max_by_key(|row| combinations.in_row(row).filter(|&c| missing[c]).count())
            .expect("a combination has candidates");
        combinations.in_row(&row).for_each(|c| missing[c] = false);
        rows.push(row);
    }
    rows
}

/// A row with this combination and, level by level, most of those that are missing.
fn row_with(
    rules: &impl Rules,
    combinations: &Combinations<'_>,
    combination: usize,
    missing: &[bool],
    random: &mut ChaCha8Rng,
) -> Row {
    let domains = combinations.domains(rules, combination);
    let n_axes = domains.len();
    let mut order: Vec<usize> = combinations.parts(combination).iter().map(|(feature, _)| feature.axis).collect();
    let mut others: Vec<usize> = (0..n_axes).filter(|axis| !order.contains(axis)).collect();
    others.shuffle(random);
    // The first axis rules most.
    others.sort_by_key(|&axis| axis > 0);
    order.extend(others);
    order.dedup();
    let mut row: Partial = vec![None; n_axes];
    for (i, &axis) in order.iter().enumerate() {
        if row[axis].is_some() {
            continue;
        }
        let mut levels: Vec<(usize, u32, usize)> = Vec::new();
        for &level in &domains[axis] {
            row[axis] = Some(level);
            let new = combinations.groups_of[axis].iter().filter_map(|&g| combinations.of(g, &row));
            levels.push((new.filter(|&c| missing[c]).count(), random.random_range(0..=u32::MAX), level));
        }
        levels.sort_unstable_by(|a, b| b.cmp(a));
        let fits = levels.into_iter().find(|&(_, _, level)| {
            row[axis] = Some(level);
            rules.allows(&row)
                && complete(rules, &domains, &narrowest_first(&order[i + 1..], &domains, rules), &mut row)
        });
        row[axis] = Some(fits.expect("a combination that is possible has a row").2);
    }
    row.into_iter().map(|level| level.expect("every axis has its level")).collect()
}

/// Axes that have lost levels come before the others, so that what is refused is refused early; the others in order.
fn narrowest_first(open: &[usize], domains: &[Vec<usize>], rules: &impl Rules) -> Vec<usize> {
    let mut order = open.to_vec();
    order.sort_unstable_by_key(|&axis| (domains[axis].len() == rules.levels()[axis], axis));
    order
}
