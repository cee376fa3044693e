//! Collects faults and gives them their place. Follow-ups are kept back: what shares a line
//! with broken TOML, and, where TOML is broken at all, whatever may be missing because of it.

use std::collections::BTreeSet;

use super::source::Source;
use crate::fault::{Fault, Gravity};

/// The most faults told of one definition.
const MAX_FAULTS: usize = 1000;

/// A place: which file, and the offset in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Index of the file.
    pub(crate) file: usize,
    /// Offset in the file.
    pub(crate) at: usize,
}

/// The faults so far, and the files they are in.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    sources: Vec<Source>,
    found: Vec<(Place, Gravity, String)>,
    broken_lines: BTreeSet<(usize, usize)>,
    errors: usize,
}

impl Faults {
    /// Adds a file; gives its index.
    pub(crate) fn add_file(&mut self, source: Source) -> usize {
        self.sources.push(source);
        self.sources.len() - 1
    }

    pub(crate) fn source(&self, file: usize) -> Option<&Source> {
        self.sources.get(file)
    }

    /// Broken TOML.
    pub(crate) fn syntax(&mut self, place: Place, message: String) {
        self.broken_lines.insert((place.file, self.line(place)));
        self.push(place, Gravity::Error, message);
    }

    /// Something is wrong with what was written.
    pub(crate) fn error(&mut self, place: Place, message: String) {
        if !self.broken_lines.contains(&(place.file, self.line(place))) {
            self.push(place, Gravity::Error, message);
        }
    }

    /// Something is missing; not told where broken TOML may have hidden it.
    pub(crate) fn missing(&mut self, place: Place, message: String) {
        if self.broken_lines.is_empty() {
            self.push(place, Gravity::Error, message);
        }
    }

    /// Something holds, but will surprise; not told where broken TOML may be the cause.
    pub(crate) fn warning(&mut self, place: Place, message: String) {
        if self.broken_lines.is_empty() {
            self.push(place, Gravity::Warning, message);
        }
    }

    pub(crate) fn has_errors(&self) -> bool {
        self.errors > 0
    }

    pub(crate) fn line(&self, place: Place) -> usize {
        self.sources.get(place.file).map_or(1, |source| source.line(place.at))
    }

    /// A fault at a place, as users see it.
    pub(crate) fn at(&self, place: Place, gravity: Gravity, message: String) -> Fault {
        let source = self.sources.get(place.file);
        let (line, column) = source.map_or((1, 1), |source| source.position(place.at));
        let file = source.map_or(String::new(), |source| source.file.clone());
        Fault { gravity, file, line, column, message }
    }

    /// All faults in the order of the files.
    pub(crate) fn finish(mut self) -> Vec<Fault> {
        let mut found = std::mem::take(&mut self.found);
        found.sort();
        found.dedup();
        let more = self.errors.saturating_sub(MAX_FAULTS);
        let mut faults: Vec<Fault> = found
            .into_iter()
            .map(|(place, gravity, message)| self.at(place, gravity, message))
            .collect();
        if let (true, Some(last)) = (more > 0, faults.last().cloned()) {
            faults.push(Fault { message: format!("and {more} more errors"), ..last });
        }
        faults
    }

    fn push(&mut self, place: Place, gravity: Gravity, message: String) {
        if gravity == Gravity::Error {
            self.errors += 1;
        }
        if self.found.len() < MAX_FAULTS {
            self.found.push((place, gravity, message));
        }
    }
}
