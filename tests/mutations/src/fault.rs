//! The list of faults.

use std::collections::HashSet;
use std::fs;
use std::path::Path;

/// What kinds of faults there are; README.md tells what each means.
pub fn kinds() -> impl Iterator<Item = &'static str> {
    "sign barrier tail divisor window tie rounding stale_row_state wrong_slot offset missing_check".split(' ')
}

/// Faults of a kind at least.
const LEAST: usize = 3;

/// One line of the repository that is not as it should be.
pub struct Fault {
    pub name: String,
    pub kind: String,
    /// From the root of the repository.
    pub file: String,
    from: String,
    to: String,
    /// Why it changes no result, where it does not.
    pub equivalent: Option<String>,
}

pub fn list() -> Result<Vec<Fault>, String> {
    let paragraphs = include_str!("../list.txt").split("\n\n").filter(|paragraph| !paragraph.trim().is_empty());
    paragraphs.map(Fault::parse).collect()
}

impl Fault {
    fn parse(paragraph: &str) -> Result<Fault, String> {
        let field = |name: &str| {
            let value = paragraph.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
            Some(value.strip_prefix(' ').unwrap_or(value).replace("\\n", "\n"))
        };
        let needed = |name: &str| field(name).ok_or_else(|| format!("a fault has no {name}:\n{paragraph}"));
        Ok(Fault {
            name: needed("name")?,
            kind: needed("kind")?,
            file: needed("file")?,
            from: needed("from")?,
            to: needed("to")?,
            equivalent: field("equivalent"),
        })
    }

    pub fn is_in_shader(&self) -> bool {
        self.file.starts_with("shaders/")
    }

    /// The file's text with the fault. Fails where `from` is not there, or more than once.
    pub fn applied_to(&self, text: &str) -> Result<String, String> {
        let Fault { name, file, from, to, .. } = self;
        match text.matches(from).count() {
            1 => Ok(text.replace(from, to)),
            n => Err(format!("{name}: {from:?} is {n} times in {file}, expected once")),
        }
    }
}

/// Fails with all that is wrong with the list.
pub fn check(faults: &[Fault], root: &Path) -> Result<(), String> {
    let applied = |fault: &Fault| match fs::read_to_string(root.join(&fault.file)) {
        Ok(text) => fault.applied_to(&text).err(),
        Err(error) => Some(format!("{}: {}: {error}", fault.name, fault.file)),
    };
    let mut names = HashSet::new();
    let twice = faults.iter().filter(|fault| !names.insert(&fault.name));
    let twice = twice.map(|fault| format!("two faults are called {}", fault.name));
    let unknown = faults.iter().filter(|fault| kinds().all(|kind| kind != fault.kind));
    let unknown = unknown.map(|fault| format!("{}: no kind is called {}", fault.name, fault.kind));
    let counts = kinds().map(|kind| (kind, faults.iter().filter(|fault| fault.kind == kind).count()));
    let few = counts.filter(|&(_, count)| count < LEAST);
    let few = few.map(|(kind, count)| format!("{count} faults of kind {kind}, expected at least {LEAST}"));
    let problems: Vec<_> = faults.iter().filter_map(applied).chain(twice).chain(unknown).chain(few).collect();
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}
