//! Which tests run, in processes of their own, and in what order.

use std::path::PathBuf;

use crate::binaries::Binaries;

/// Where a fault is, and the shares that are likeliest to see it, by what their names begin with. The first row whose
/// text is in the file's path counts. Tests of what is refused take seconds, so they go before those of a family.
const LIKELIEST: &[(&str, &[&str])] = &[
    ("src/validate.rs", &["validate", "bind"]),
    ("src/shape.rs", &["validate", "bind"]),
    ("src/inputs.rs", &["validate", "storage", "runs"]),
    ("storage.rs", &["storage"]),
    ("elem/half.wgsl", &["storage::conversions"]),
    ("shaders/reduce/", &["shaders", "properties::subgroups", "cover::class_index"]),
    ("rows/backward", &["shaders", "cover::class_index"]),
    ("gradient/in_place", &["shaders", "cover::class_index"]),
    ("shaders/label.wgsl", &["storage::labels", "record::labels"]),
    ("math.wgsl", &["properties::functions"]),
    ("src/gpu/runs.rs", &["runs"]),
    ("src/gpu/tuned.rs", &[LIB, "record::tuned"]),
    ("src/gpu/pool.rs", &["runs", "windows"]),
    ("src/gpu/", &["bind", "cover::given_log_prob"]),
    ("src/plan/classes.rs", &["class_windows"]),
    ("src/plan/counts.rs", &["record::divisors", "windows"]),
    ("sum/errors", &["record::errors"]),
    ("shaders/sum/", &["properties::side", "windows", "record::divisors", "cover::class_index"]),
    ("shaders/scale/", &["record::divisors", "cover::class_index"]),
    ("src/loss/distillation", &["validate", "bind", "cover::distillation"]),
    ("src/loss/negative_log_likelihood", &["validate", "bind", "cover::given_log_prob"]),
    ("src/loss/softmax.rs", &["cover::softmax"]),
    ("src/loss/softmax_focal", &["validate", "bind", "cover::class_index"]),
    ("src/loss/soft_cross_entropy", &["validate", "bind", "cover::distribution"]),
    ("src/loss/binary", &["validate", "bind", "cover::elementwise"]),
    ("src/loss/sigmoid", &["validate", "bind", "cover::elementwise"]),
    ("src/loss/cross_entropy", &["validate", "bind", "cover::class_index"]),
    ("src/loss/entropy", &["validate", "bind", "cover::elementwise", "cover::row_entropy"]),
    ("src/loss/", &["validate", "bind", "cover::distribution"]),
    ("class_index", &["cover::class_index"]),
    ("cpu/labelled", &["cover::class_index"]),
    ("cpu/short_rows", &["cover::class_index"]),
    ("given_log_prob", &["cover::given_log_prob"]),
    ("distribution/top_k", &["properties::top_k", "shaders", "cover::distribution"]),
    ("distribution", &["cover::distribution"]),
    ("cpu/pair", &["cover::distribution"]),
    ("cpu/functions", &[LIB, "cover::distribution"]),
    ("rows/weights", &["properties::corners", "cover::class_index"]),
    ("rows/accumulate", &["class_windows", "cover::class_index"]),
    ("distillation", &["cover::distillation"]),
    ("kernel/part", &["cover::distillation"]),
    ("row_entropy", &["cover::row_entropy"]),
    ("elementwise", &["cover::elementwise"]),
    ("softmax/", &["cover::softmax"]),
    ("cpu/softmax_values", &["cover::softmax"]),
];
/// The tests that meet every combination of two attributes.
const COVER: &str = "cover::";
/// Tests of all combinations, which take hours and see no more.
const FULL: &str = "::full::";
/// Tests so long that each has a process to itself, as in `tests/run.sh`: a software driver keeps the memory of every
/// pipeline until the process ends. The others go by module.
const ALONE: [&str; 3] = [COVER, "losses::", "storage::"];
/// The unit tests.
const LIB: &str = "lib";

/// Tests that share a process.
pub struct Share {
    pub name: String,
    pub binary: PathBuf,
    /// By name; none stands for all.
    pub tests: Vec<String>,
}

/// Every test, the likeliest to see a fault in this file first, the rest of [`COVER`] next, unit tests last.
pub fn likeliest_first(tests: &[String], binaries: &Binaries, file: &str) -> Vec<Share> {
    let mut shares: Vec<Share> = Vec::new();
    for test in tests.iter().filter(|test| !test.contains(FULL)) {
        let name = share_of(test);
        match shares.iter_mut().find(|share| share.name == name) {
            Some(share) => share.tests.push(test.clone()),
            None => shares.push(Share { name, binary: binaries.it.clone(), tests: vec![test.clone()] }),
        }
    }
    shares.push(Share { name: LIB.into(), binary: binaries.lib.clone(), tests: Vec::new() });
    let likeliest = LIKELIEST.iter().find(|(path, _)| file.contains(path)).map_or(&[][..], |(_, names)| names);
    shares.sort_by_key(|share| rank(&share.name, likeliest));
    shares
}

fn share_of(test: &str) -> String {
    let path: Vec<_> = test.split("::").collect();
    match path.len() {
        _ if ALONE.iter().any(|alone| test.starts_with(alone)) => test.into(),
        0..=2 => path[0].into(),
        _ => path[..2].join("::"),
    }
}

fn rank(share: &str, likeliest: &[&str]) -> usize {
    let place = likeliest.iter().position(|name| share.starts_with(name));
    let behind = match share {
        _ if share.starts_with(COVER) => 0,
        LIB => 2,
        _ => 1,
    };
    place.unwrap_or(likeliest.len() + behind)
}
