//! What came of each fault.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use crate::fault::{Fault, kinds};

pub enum Outcome {
    /// By this test.
    Caught(String),
    Survived,
    DoesNotCompile,
}

const CAUGHT: &str = "caught by ";
const SURVIVED: &str = "SURVIVED";
const DOES_NOT_COMPILE: &str = "DOES NOT COMPILE";

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Caught(test) => write!(f, "{CAUGHT}{test}"),
            Outcome::Survived => write!(f, "{SURVIVED}"),
            Outcome::DoesNotCompile => write!(f, "{DOES_NOT_COMPILE}"),
        }
    }
}

impl Outcome {
    fn parse(text: &str) -> Outcome {
        match text.strip_prefix(CAUGHT) {
            Some(test) => Outcome::Caught(test.into()),
            None if text == SURVIVED => Outcome::Survived,
            None => Outcome::DoesNotCompile,
        }
    }

    /// A fault is caught, and one that changes no result is not.
    fn is_right(&self, fault: &Fault) -> bool {
        match self {
            Outcome::Caught(_) => fault.equivalent.is_none(),
            Outcome::Survived => fault.equivalent.is_some(),
            Outcome::DoesNotCompile => false,
        }
    }
}

/// Outcomes as they come, written at once, so that a run that is interrupted loses none.
pub struct Report {
    path: PathBuf,
    /// By name, with seconds.
    outcomes: HashMap<String, (Outcome, u64)>,
}

impl Report {
    /// Goes on with the report there is, whose outcomes may be taken over.
    pub fn new(path: PathBuf, takes_over: bool) -> Report {
        let text = if takes_over { fs::read_to_string(&path).unwrap_or_default() } else { String::new() };
        let outcome = |line: &str| {
            let [name, _kind, outcome, seconds] = line.split('\t').collect::<Vec<_>>().try_into().ok()?;
            Some((name.to_string(), (Outcome::parse(outcome), seconds.strip_suffix(" s")?.parse().ok()?)))
        };
        Report { path, outcomes: text.lines().filter_map(outcome).collect() }
    }

    pub fn has(&self, fault: &Fault) -> bool {
        self.outcomes.contains_key(&fault.name)
    }

    pub fn add(&mut self, fault: &Fault, outcome: Outcome, time: Duration) -> Result<(), String> {
        let line = format!("{}\t{}\t{outcome}\t{} s", fault.name, fault.kind, time.as_secs());
        println!("{line}");
        let file = OpenOptions::new().create(true).append(true).open(&self.path);
        let written = file.and_then(|mut file| writeln!(file, "{line}"));
        written.map_err(|error| format!("{}: {error}", self.path.display()))?;
        self.outcomes.insert(fault.name.clone(), (outcome, time.as_secs()));
        Ok(())
    }

    /// Prints counts by kind, the median time and what is not as it should be; whether nothing is.
    pub fn conclude(&self, faults: &[Fault]) -> bool {
        let done = || faults.iter().filter_map(|fault| Some((fault, self.outcomes.get(&fault.name)?)));
        for kind in kinds() {
            let of_kind: Vec<_> = done().filter(|(fault, _)| fault.kind == kind).collect();
            let caught = of_kind.iter().filter(|(_, (outcome, _))| matches!(outcome, Outcome::Caught(_)));
            println!("{kind:16} {} of {} caught", caught.count(), of_kind.len());
        }
        let mut seconds: Vec<_> = done().map(|(_, (_, seconds))| seconds).collect();
        seconds.sort_unstable();
        println!("median {} s", seconds.get(seconds.len() / 2).unwrap_or(&&0));
        let wrong: Vec<_> = done().filter(|(fault, (outcome, _))| !outcome.is_right(fault)).collect();
        for (fault, (outcome, _)) in &wrong {
            println!("not as expected: {}: {outcome}", fault.name);
        }
        wrong.is_empty()
    }
}
