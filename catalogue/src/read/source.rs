//! The text of one file: its bounds, its positions, and its TOML with recovery. Where the TOML
//! is broken, each section is parsed on its own, so that one fault does not hide the rest.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use toml::de::DeTable;
use toml_parser::lexer::TokenKind;

use crate::section::{Form, SECTIONS, Section};

/// The largest file accepted, in bytes.
pub(crate) const MAX_BYTES: usize = 1 << 20;
/// The most parts of one dotted key; beyond it the depth of tables is not bounded.
const MAX_KEY_PARTS: usize = 8;
/// The most syntax faults reported of one section.
const MAX_FAULTS_A_PART: usize = 16;

/// A file as it was read.
#[derive(Debug)]
pub(crate) struct Source {
    /// How faults name it.
    pub(crate) file: String,
    /// Where relative paths in it start.
    pub(crate) directory: PathBuf,
    text: String,
    lines: Vec<usize>,
}

/// A stretch of a file that parses; offsets in it start at `base`.
#[derive(Debug)]
pub(crate) struct Part {
    /// Offset of its first byte in the file.
    pub(crate) base: usize,
    /// Its text; where the TOML was broken, blanks stand for the lines at fault.
    pub(crate) text: String,
}

/// A fault of the TOML itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SyntaxFault {
    /// Offset in the file.
    pub(crate) at: usize,
    /// What is wrong.
    pub(crate) message: String,
}

impl Source {
    pub(crate) fn new(file: &str, text: &str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text).to_owned();
        let starts = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1);
        let lines = std::iter::once(0).chain(starts).collect();
        let directory = Path::new(file).parent().unwrap_or(Path::new("")).to_owned();
        Self { file: file.to_owned(), directory, text, lines }
    }

    /// Line of an offset, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        self.lines.partition_point(|start| *start <= at).max(1)
    }

    /// Line and column of an offset, from 1; columns in characters.
    pub(crate) fn position(&self, at: usize) -> (usize, usize) {
        let at = at.min(self.text.len());
        let line = self.line(at);
        let start = self.lines.get(line - 1).copied().unwrap_or(0);
        let before = self.text.get(start..at).unwrap_or("");
        (line, before.chars().count() + 1)
    }

    /// The text in parts that parse, and what is wrong with the rest.
    pub(crate) fn parts(&self) -> (Vec<Part>, Vec<SyntaxFault>) {
        if self.text.len() > MAX_BYTES {
            let message = format!("expected at most {MAX_BYTES} bytes, got {}", self.text.len());
            return (Vec::new(), vec![SyntaxFault { at: 0, message }]);
        }
        if let Some(at) = self.overlong_key() {
            let message = format!("expected a key of at most {MAX_KEY_PARTS} parts");
            return (Vec::new(), vec![SyntaxFault { at, message }]);
        }
        let (_, errors) = DeTable::parse_recoverable(&self.text);
        if errors.is_empty() {
            return (vec![Part { base: 0, text: self.text.clone() }], Vec::new());
        }
        let mut faults = Vec::new();
        let parts = self.split().into_iter().map(|range| {
            let base = range.start;
            let (text, found) = mend(self.text.get(range).unwrap_or(""));
            faults.extend(found.into_iter().map(|f| SyntaxFault { at: f.at + base, ..f }));
            Part { base, text }
        });
        let parts = parts.collect();
        // What spans sections, such as a table declared twice, shows only in the whole.
        let mut told: BTreeSet<usize> = faults.iter().map(|f| self.line(f.at)).collect();
        for error in errors {
            let at = error.span().map_or(0, |span| span.start);
            let spans_sections = error.message().starts_with("duplicate key")
                || error.message().starts_with("cannot extend");
            if (spans_sections || faults.is_empty()) && told.insert(self.line(at)) {
                faults.push(SyntaxFault { at, message: tell(&error) });
            }
        }
        (parts, faults)
    }

    /// Where a key has more parts than are accepted.
    fn overlong_key(&self) -> Option<usize> {
        let mut dots = 0;
        for token in toml_parser::Source::new(&self.text).lex() {
            match token.kind() {
                TokenKind::Dot => dots += 1,
                TokenKind::Atom
                | TokenKind::Whitespace
                | TokenKind::BasicString
                | TokenKind::LiteralString => {}
                _ => dots = 0,
            }
            if dots >= MAX_KEY_PARTS {
                return Some(token.span().start());
            }
        }
        None
    }

    /// The ranges from one header to the next. Strings over several lines are not cut.
    fn split(&self) -> Vec<std::ops::Range<usize>> {
        let mut starts = vec![0];
        let mut line_begins = true;
        for token in toml_parser::Source::new(&self.text).lex() {
            let at = token.span().start();
            match token.kind() {
                TokenKind::Newline => line_begins = true,
                TokenKind::Whitespace => {}
                TokenKind::LeftSquareBracket if line_begins => {
                    line_begins = false;
                    if starts_a_part(&self.text[at..]) {
                        starts.push(at);
                    }
                }
                _ => line_begins = false,
            }
        }
        starts.dedup();
        let ends = starts.iter().skip(1).copied().chain([self.text.len()]);
        starts.iter().copied().zip(ends).map(|(from, to)| from..to).collect()
    }
}

/// Whether a line that starts with a bracket is the header of a section, be it a broken one,
/// and not of a table inside an entry of a list, such as `[probe.headers]`.
fn starts_a_part(rest: &str) -> bool {
    let line = rest.lines().next().unwrap_or("");
    let line = line.split('#').next().unwrap_or("").trim_end();
    let name = line.trim_start_matches('[').trim_end_matches(']').trim();
    let first = name.split('.').next().unwrap_or("").trim();
    let inside = |section: &&Section| section.form == Form::List && section.name == first;
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "._- \"'".contains(c))
        && !(name.contains('.') && SECTIONS.iter().any(inside))
}

/// Blanks one faulty line after the other until the rest parses.
fn mend(text: &str) -> (String, Vec<SyntaxFault>) {
    let mut text = text.to_owned();
    let mut faults: Vec<SyntaxFault> = Vec::new();
    for _ in 0..MAX_FAULTS_A_PART {
        let (_, errors) = DeTable::parse_recoverable(&text);
        let first = errors.iter().min_by_key(|e| e.span().map_or(0, |span| span.start));
        let Some(first) = first else {
            return (text, faults);
        };
        let end = text.trim_end().len();
        let at = first.span().map_or(0, |span| span.start).min(end);
        // A fault before the last one is of our own making, such as an array that lost its end.
        if faults.last().is_none_or(|last| at > last.at) {
            faults.push(SyntaxFault { at, message: tell(first) });
        }
        let from = text[..at].rfind('\n').map_or(0, |i| i + 1);
        let to = text[at..].find('\n').map_or(text.len(), |i| at + i);
        let header = from == 0 && text.starts_with('[');
        if header || text[from..to].trim().is_empty() {
            return (String::new(), faults);
        }
        let blank: String = text[from..to].bytes().map(|_| ' ').collect();
        text.replace_range(from..to, &blank);
    }
    // What still does not parse is left out.
    let (_, errors) = DeTable::parse_recoverable(&text);
    if errors.is_empty() { (text, faults) } else { (String::new(), faults) }
}

fn tell(error: &toml::de::Error) -> String {
    let message = error.message();
    match message.strip_suffix(", expected nothing") {
        Some(rest) => rest.to_owned(),
        None => message.to_owned(),
    }
}
