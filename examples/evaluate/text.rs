//! The text: the news of the tz database, oldest first, as character ids; what is learned from, and what is held out.

use std::{collections::BTreeSet, fs::File, io::Read, ops::Range, path::Path};

use flate2::read::GzDecoder;

use crate::Result;

pub struct Text {
    /// The characters that occur, sorted; a character's id is its place here. A network's alphabet, too, is settled
    /// before it learns.
    pub alphabet: Vec<char>,
    /// `[n]`
    pub ids: Vec<u32>,
    /// The first position held out.
    split: usize,
}

impl Text {
    /// The news of `examples/data`.
    pub fn load() -> Result<Text> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/tz_news.txt.gz");
        let explained = |error| {
            let path = path.display();
            format!("{path}: {error}; the text comes with a checkout of the repository, run the example from there")
        };
        let mut news = String::new();
        File::open(&path).and_then(|file| GzDecoder::new(file).read_to_string(&mut news)).map_err(explained)?;
        Ok(Text::new(&oldest_first(&news)))
    }

    /// The last fifth is held out.
    pub fn new(text: &str) -> Text {
        let alphabet: Vec<char> = text.chars().collect::<BTreeSet<char>>().into_iter().collect();
        let id = |c| alphabet.binary_search(&c).expect("every character is in the alphabet") as u32;
        let ids: Vec<u32> = text.chars().map(id).collect();
        let split = ids.len() / 5 * 4;
        Text { alphabet, ids, split }
    }

    pub fn learned(&self) -> &[u32] {
        &self.ids[..self.split]
    }

    /// Positions.
    pub fn held_out(&self) -> Range<usize> {
        self.split..self.ids.len()
    }

    /// The characters there on one line: runs of white space as a space.
    pub fn excerpt(&self, positions: Range<usize>) -> String {
        let mut excerpt = String::new();
        for &id in &self.ids[positions] {
            match self.alphabet[id as usize] {
                c if !c.is_whitespace() => excerpt.push(c),
                _ if excerpt.ends_with(' ') => {}
                _ => excerpt.push(' '),
            }
        }
        excerpt
    }
}

/// The releases, which the news has newest first, in the order of time, so that the past is learned from and the latest
/// held out; without the title above and the notes below them.
fn oldest_first(news: &str) -> String {
    let (releases, _notes) = news.rsplit_once("\n-----\n").unwrap_or((news, ""));
    let mut parts: Vec<&str> = releases.split("\n\n\nRelease ").collect();
    parts[0] = parts[0].split_once("\n\nRelease ").map_or(parts[0], |(_title, newest)| newest);
    parts.iter().rev().map(|release| format!("Release {}\n\n\n", release.trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_come_oldest_first_without_title_and_notes() {
        let news = "News\n\nRelease 2\n\n  Two.\n\n\nRelease 1\n\n  One.\n\n\n-----\nNotes\n";
        assert_eq!(oldest_first(news), "Release 1\n\n  One.\n\n\nRelease 2\n\n  Two.\n\n\n");
    }

    #[test]
    fn ids_spell_the_text() {
        let text = Text::new("to be,\n or not\n");
        assert_eq!(text.excerpt(0..text.ids.len()), "to be, or not ");
        assert_eq!(text.learned().len() + text.held_out().len(), 15);
        assert_eq!(text.alphabet, ['\n', ' ', ',', 'b', 'e', 'n', 'o', 'r', 't']);
    }
}
