//! Why a command could not be carried out, and the exit codes scripts rely on.

use std::fmt;
use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All well.
    Ok = 0,
    /// Carried out, and something was found: degraded or unknown.
    Finding = 1,
    /// Carried out, and something is down.
    Down = 2,
    /// Bad usage, or a definition that does not hold.
    Usage = 64,
    /// A fault of the program.
    Internal = 70,
    /// A file, a socket or the store could not be used.
    Io = 74,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Why a command could not be carried out.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    error: anyhow::Error,
}

impl Failure {
    pub(crate) fn usage(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Usage, error: error.into() }
    }

    pub(crate) fn io(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Io, error: error.into() }
    }

    pub(crate) fn internal(error: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Internal, error: error.into() }
    }

    pub(crate) const fn exit(&self) -> Exit {
        self.exit
    }
}

impl fmt::Display for Failure {
    /// The whole chain in one line: `what failed: why: why that`. Nothing for a failure whose
    /// details were printed already.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.error)
    }
}
