//! Proves that the tests catch deliberate faults. Each fault of `list.txt` goes by itself into a copy of the repository,
//! whose tests then have to fail. README.md tells how to use it.

mod binaries;
mod fault;
mod race;
mod report;
mod shares;
mod tree;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use binaries::Binaries;
use fault::Fault;
use report::{Outcome, Report};
use tree::Tree;

fn main() -> ExitCode {
    match run(std::env::args().nth(1).as_deref()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all is as it should be.
fn run(argument: Option<&str>) -> Result<bool, String> {
    let faults = fault::list()?;
    fault::check(&faults, root())?;
    match argument {
        None => prove(&faults, false),
        Some("--skip-done") => prove(&faults, true),
        Some("--list") => {
            faults.iter().for_each(|fault| println!("{:16} {}", fault.kind, fault.name));
            Ok(true)
        }
        Some("--check") => {
            println!("{} faults, each to be found where it is said to be", faults.len());
            Ok(true)
        }
        Some(name) => match faults.iter().position(|fault| fault.name == name) {
            Some(i) => prove(&faults[i..=i], false),
            None => Err(format!("no fault is called {name}; usage: [NAME | --list | --check | --skip-done]")),
        },
    }
}

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Runs the tests against each fault; what came of some in an earlier run may stand.
fn prove(faults: &[Fault], skip_done: bool) -> Result<bool, String> {
    let bench = Bench::new()?;
    let mut report = Report::new(bench.folder.join("report.txt"), skip_done);
    for fault in faults {
        if !report.has(fault) {
            let begun = Instant::now();
            let outcome = bench.outcome(fault)?;
            report.add(fault, outcome, begun.elapsed())?;
        }
    }
    Ok(report.conclude(faults))
}

/// A copy of the repository that faults go into, and its tests.
struct Bench {
    folder: PathBuf,
    tree: Tree,
    /// Of the repository as it is: what is built for a fault takes the place of cargo's own.
    sound: Binaries,
    tests: Vec<String>,
}

impl Bench {
    /// Fails if the tests of the repository as it is are not built. That they pass is for `tests/run.sh` to say.
    fn new() -> Result<Bench, String> {
        let folder = root().canonicalize().map_err(|error| error.to_string())?.join("target/mutations");
        println!("building the tests without a fault");
        let tree = Tree::copy(root(), folder.join("tree")).map_err(|error| format!("the copy: {error}"))?;
        let built = Binaries::build(tree.folder(), &folder.join("build"));
        let built = built.map_err(|error| format!("the repository as it is does not build:\n{error}"))?;
        let sound = built.copied_to(&folder.join("sound"))?;
        let tests = sound.tests()?;
        Ok(Bench { folder, tree, sound, tests })
    }

    fn outcome(&self, fault: &Fault) -> Result<Outcome, String> {
        self.tree.with(fault, || {
            // Shaders are read when the tests run.
            if fault.is_in_shader() {
                return self.outcome_of(&self.sound, fault);
            }
            match Binaries::build(self.tree.folder(), &self.folder.join("build")) {
                Ok(binaries) => self.outcome_of(&binaries, fault),
                Err(error) => {
                    eprintln!("{error}");
                    Outcome::DoesNotCompile
                }
            }
        })
    }

    fn outcome_of(&self, binaries: &Binaries, fault: &Fault) -> Outcome {
        let shares = shares::likeliest_first(&self.tests, binaries, &fault.file);
        match race::first_failure(&shares, self.tree.folder(), &self.folder) {
            Some(test) => Outcome::Caught(test),
            None => Outcome::Survived,
        }
    }
}
