//! Fingerprints of results: what a change of the kernels must leave as it was.
//!
//! With `SURPRISAL_BITS=FOLDER` each share of the table leaves there a line for each of its cases, or is held against
//! those that an earlier run left. The bits are those of one driver and one kind of processor: a folder is for one
//! machine.

use std::fmt::Write;
use std::path::PathBuf;

use surprisal::Output;

use super::compare::side_words;
use super::staged::Bits;

/// Numbers to one number (FNV-1a), bit by bit and with their lengths.
#[derive(Clone, Copy)]
pub struct Fingerprint(u64);

impl Fingerprint {
    fn new() -> Self {
        Fingerprint(0xcbf2_9ce4_8422_2325)
    }

    fn add(&mut self, words: impl ExactSizeIterator<Item = u32>) {
        let len = words.len() as u32;
        for byte in words.chain([len]).flat_map(u32::to_le_bytes) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

/// What has bits.
pub trait HasBits {
    fn add_to(&self, fingerprint: &mut Fingerprint);
}

impl HasBits for Bits {
    fn add_to(&self, fingerprint: &mut Fingerprint) {
        for words in [&self.values, &self.dlogits, &self.dtargets, &self.row_state, &self.side] {
            fingerprint.add(words.iter().copied());
        }
    }
}

impl HasBits for Output {
    fn add_to(&self, fingerprint: &mut Fingerprint) {
        let mut floats = |numbers: &[f32]| fingerprint.add(numbers.iter().map(|number| number.to_bits()));
        floats(&self.values);
        floats(self.parts.as_deref().unwrap_or_default().as_flattened());
        for numbers in [&self.dlogits, &self.dtargets, &self.row_state] {
            floats(numbers.as_deref().unwrap_or_default());
        }
        fingerprint.add(self.side.as_ref().map(side_words).unwrap_or_default().into_iter());
    }
}

impl<T: HasBits> HasBits for Vec<T> {
    fn add_to(&self, fingerprint: &mut Fingerprint) {
        self.iter().for_each(|one| one.add_to(fingerprint));
    }
}

/// A share's lines, if a folder for them is named.
pub struct Record(Option<(PathBuf, String)>);

impl Record {
    pub fn open(share: &str) -> Record {
        Record(std::env::var_os("SURPRISAL_BITS").map(|folder| (PathBuf::from(folder).join(share), String::new())))
    }

    pub fn keep(&mut self, name: &str, results: &impl HasBits) {
        if let Some((_, lines)) = &mut self.0 {
            let mut fingerprint = Fingerprint::new();
            results.add_to(&mut fingerprint);
            writeln!(lines, "{name} {:016x}", fingerprint.0).expect("a String takes all that is written");
        }
    }

    /// Leaves the lines, or holds them against those that were left.
    pub fn close(self) {
        let Some((path, lines)) = self.0 else { return };
        let Ok(recorded) = std::fs::read_to_string(&path) else {
            std::fs::write(&path, lines).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            return;
        };
        let changed: Vec<_> = lines.lines().zip(recorded.lines()).filter(|(now, then)| now != then).collect();
        assert!(changed.is_empty(), "{} results are not as recorded: {changed:?}", changed.len());
        assert_eq!(lines.lines().count(), recorded.lines().count(), "cases recorded in {}", path.display());
    }
}
