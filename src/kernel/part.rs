//! A family's text as a part of a larger one: every name it declares has the part's name before it.

use std::collections::HashMap;

use super::family::{SOFTMAX_STATE, load_fragments, reads_of_part, row_maths, shuffles, truth_fragments};
use super::fragment::Fragment;
use super::losses::loss_fragment;
use super::{Entry, Kernel, Program, Values, Variant};
use crate::loss::Family;

/// One loss of a sum.
pub(super) struct Part {
    /// What the names it declares begin with.
    pub name: &'static str,
    /// Names of its that are declared outside, and what they are there.
    pub outside: &'static [(&'static str, &'static str)],
    pub fragments: Vec<Fragment>,
}

/// What the text of a sum's second part means by names that are not declared in it: options are its own, where tensors
/// lie is said once.
const SOFT_NAMES: &[(&str, &str)] = &[
    ("params", "soft_params"),
    ("TEMPERATURE", "soft_TEMPERATURE"),
    ("ROW_EXTRAS", "soft_ROW_EXTRAS"),
    ("LABEL_SMOOTHING", "soft_LABEL_SMOOTHING"),
    ("load_targets", "load_teacher"),
    ("targets", "teacher_ids"),
    ("params.targets", "params.teacher"),
    ("params.targets_stride", "params.teacher_stride"),
    ("params.target_probs", "params.target_probs"),
    ("params.k", "params.k"),
    ("params.rest", "params.rest"),
    ("params.n_classes", "params.n_classes"),
    ("params.end_class", "params.end_class"),
];

impl Kernel {
    /// The parts of a sum of losses.
    pub(super) fn parts(&self) -> Vec<Part> {
        let Program::Loss { family: sum @ Family::Distillation { hard, soft, .. }, entry, values, .. } = self.program
        else {
            return Vec::new();
        };
        let Some(divergence) = sum.soft_part() else { return Vec::new() };
        let shuffled = self.variant == Variant::Subgroup && entry != Entry::Backward;
        let values = if entry.reads_state() { Values::Sums } else { values };
        let part = |family, loss, values| {
            let mut list = vec![SOFTMAX_STATE];
            if entry.reads_labels(sum) {
                list.extend(truth_fragments(family, entry));
            }
            list.extend(row_maths(family, loss, entry, values));
            if !entry.is_finish() {
                list.extend(load_fragments(family));
            }
            if shuffled {
                list.extend(shuffles(family, values));
            }
            list.push(loss_fragment(loss));
            list
        };
        let mut soft_fragments = part(divergence, soft, Values::Sums);
        soft_fragments.extend(reads_of_part(divergence, entry));
        vec![
            Part { name: "hard", outside: &[], fragments: part(Family::ClassIndex, hard, values) },
            Part { name: "soft", outside: SOFT_NAMES, fragments: soft_fragments },
        ]
    }
}

/// The texts of a part, with `part_` before the names they declare, and `outside` in place of some that they do not.
pub(super) fn renamed(part: &str, outside: &[(&str, &str)], texts: &[&str]) -> Vec<String> {
    let mut names: HashMap<&str, String> = outside.iter().map(|&(from, to)| (from, to.to_string())).collect();
    names.extend(texts.iter().flat_map(|text| declared(text)).map(|name| (name, format!("{part}_{name}"))));
    texts.iter().map(|text| text.lines().map(|line| renamed_line(line, &names) + "\n").collect()).collect()
}

/// What a text declares at module scope, where no line is indented.
fn declared(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter_map(|line| {
        let (keyword, rest) = line.split_once(' ')?;
        let name = match keyword {
            "fn" | "struct" | "alias" | "const" | "override" => rest,
            _ if keyword.starts_with("var<") => rest,
            _ => return None,
        };
        name.split(|c: char| !is_word(c)).next()
    })
}

/// Members keep their names: after a dot, unless named with what has them, and where a struct declares them.
fn renamed_line(line: &str, names: &HashMap<&str, String>) -> String {
    let code = line.find("//").unwrap_or(line.len());
    let member = is_member(&line[..code]);
    let (mut out, mut at, mut before) = (String::new(), 0, ' ');
    while at < code {
        let rest = &line[at..code];
        let word = &rest[..word_len(rest).max(1)];
        let of_word = rest[word.len()..].strip_prefix('.').map_or(0, |member| 1 + word_len(member));
        let path = &rest[..word.len() + of_word];
        let word = if names.contains_key(path) { path } else { word };
        let kept = before == '.' || (member && out.trim().is_empty());
        match names.get(word) {
            Some(name) if !kept => out += name,
            _ => out += word,
        }
        before = word.chars().next_back().unwrap_or(before);
        at += word.len();
    }
    out + &line[code..]
}

/// Whether a line is `name: type,` alone.
fn is_member(code: &str) -> bool {
    let word = code.trim_start();
    code.starts_with(' ') && word[word_len(word)..].starts_with(": ") && code.trim_end().ends_with(',')
}

/// The word that a text begins with.
fn word_len(text: &str) -> usize {
    text.find(|c| !is_word(c)).unwrap_or(text.len())
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
