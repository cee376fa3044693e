//! Words of one's own for pages and reports: texts by key as they were written, each with its
//! place. Which keys there are, and what may stand in them, is for whoever uses the words to say.

use crate::fault::{Fault, Gravity};

/// Texts of one's own, in the order in which they were written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wording {
    /// The texts.
    pub texts: Vec<Phrase>,
}

/// A text of one's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    /// The names of the tables it stands in and its own, with dots between: `verdict.met.one`.
    pub key: String,
    /// What was written.
    pub written: Written,
    /// The file.
    pub file: String,
    /// Line of the value in the file, from 1.
    pub line: usize,
    /// Column of the value in the line, in characters from 1.
    pub column: usize,
}

/// What was written for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// A text.
    Text(String),
    /// A list of texts.
    List(Vec<String>),
    /// true or false.
    Flag(bool),
}

impl Phrase {
    /// What is wrong with it.
    #[must_use]
    pub fn fault(&self, message: String) -> Fault {
        let Self { file, line, column, .. } = self;
        let gravity = Gravity::Error;
        Fault { gravity, file: file.clone(), line: *line, column: *column, message }
    }
}
