//! What is wrong with a definition, and where.

use std::fmt;

/// How bad a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gravity {
    /// The definition is refused.
    Error,
    /// The definition holds, but will surprise.
    Warning,
}

/// One fault; line and column count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Refused or surprising.
    pub gravity: Gravity,
    /// The file, as it was named.
    pub file: String,
    /// Line in the file.
    pub line: usize,
    /// Column in the line.
    pub column: usize,
    /// What was expected and what was found.
    pub message: String,
}

impl fmt::Display for Fault {
    /// `FILE:LINE:COL: message`, with `warning: ` before the message of a warning.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mark = match self.gravity {
            Gravity::Error => "",
            Gravity::Warning => "warning: ",
        };
        write!(f, "{}:{}:{}: {mark}{}", self.file, self.line, self.column, self.message)
    }
}
