//! The text: the news of the tz database in sequences of characters, and who gets which.

use std::{fs::File, io::Read, path::Path};

use flate2::read::GzDecoder;

use crate::Result;

/// The printable characters of ASCII without capitals.
pub const N_CLASSES: usize = 69;
/// Characters in a sequence.
const LENGTH: usize = 128;
/// Characters that the student looks back.
pub const CONTEXT: usize = 3;
/// The label of a position with fewer characters before it.
pub const IGNORED: i32 = -100;

/// Sequences, each a slice of classes; no two share a character.
pub struct Text {
    pub teacher: Vec<Vec<u8>>,
    /// What the student learns from, with labels or with what the teacher says of it.
    pub transfer: Vec<Vec<u8>>,
    pub held_out: Vec<Vec<u8>>,
}

/// Positions of sequences, as the student sees them.
pub struct Rows {
    /// `[n, CONTEXT]`, classes, the latest character first.
    pub contexts: Vec<u32>,
    /// `[n]`
    pub labels: Vec<i32>,
}

impl Text {
    /// The news of `examples/data`, in lower case, white space as single spaces: of fifty sequences one to transfer, one
    /// held out.
    pub fn load() -> Result<Text> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/tz_news.txt.gz");
        let mut news = String::new();
        File::open(&path)
            .and_then(|file| GzDecoder::new(file).read_to_string(&mut news))
            .map_err(|error| format!("{}: {error}", path.display()))?;
        let words: Vec<&str> = news.split_whitespace().collect();
        let classes: Vec<u8> = words.join(" ").bytes().filter_map(class).collect();
        let mut text = Text { teacher: Vec::new(), transfer: Vec::new(), held_out: Vec::new() };
        for (k, sequence) in classes.chunks_exact(LENGTH).enumerate() {
            let part = match k % 50 {
                0 => &mut text.transfer,
                25 => &mut text.held_out,
                _ => &mut text.teacher,
            };
            part.push(sequence.to_vec());
        }
        Ok(text)
    }
}

impl Rows {
    pub fn new(sequences: &[Vec<u8>]) -> Rows {
        let (mut contexts, mut labels) = (Vec::new(), Vec::new());
        for sequence in sequences {
            for (position, &class) in sequence.iter().enumerate() {
                let before = |back| position.checked_sub(back).map_or(0, |at| sequence[at].into());
                contexts.extend((1..=CONTEXT).map(before));
                labels.push(if position < CONTEXT { IGNORED } else { class.into() });
            }
        }
        Rows { contexts, labels }
    }

    pub fn len(&self) -> usize {
        self.labels.len()
    }
}

/// Which character of `N_CLASSES` it is; none beyond ASCII.
fn class(byte: u8) -> Option<u8> {
    match byte.to_ascii_lowercase() {
        byte @ b' '..=b'@' => Some(byte - b' '),
        byte @ b'['..=b'~' => Some(byte - b' ' - 26),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_numbered_without_gaps() {
        let classes: Vec<u8> = (0..=u8::MAX).filter(|byte| !byte.is_ascii_uppercase()).filter_map(class).collect();
        assert_eq!(classes, (0..N_CLASSES as u8).collect::<Vec<_>>());
        assert_eq!(class(b'A'), class(b'a'));
    }

    #[test]
    fn a_row_has_the_latest_character_first_and_no_label_before_its_context_is_full() {
        let rows = Rows::new(&[vec![5, 6, 7, 8, 9]]);
        assert_eq!(rows.labels, [IGNORED, IGNORED, IGNORED, 8, 9]);
        assert_eq!(rows.contexts[3 * CONTEXT..], [7, 6, 5, 8, 7, 6]);
    }
}
