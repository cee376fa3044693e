//! What the store could not do, and why.

use std::path::PathBuf;

/// What the store could not do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The data directory cannot be made or written.
    #[error("cannot write to the data directory {path}")]
    Directory {
        /// Which directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is there, but it is no store of ours.
    #[error("{path} is not a mailward store")]
    Foreign {
        /// Which file.
        path: PathBuf,
    },
    /// There is no store.
    #[error("there is no store in {path}")]
    Missing {
        /// In which directory.
        path: PathBuf,
    },
    /// A newer program has written it.
    #[error(
        "{path} is a store of version {found}, and this program knows versions up to {known}; \
         use the newer program"
    )]
    Newer {
        /// Which file.
        path: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },
    /// A step of its history is not the one this program knows.
    #[error("{path} was migrated to version {version} by other steps than this program's")]
    Altered {
        /// Which file.
        path: PathBuf,
        /// The version whose step differs.
        version: u32,
    },
    /// Another process holds it for too long.
    #[error("the store is held by another process; try again when that is done")]
    Locked,
    /// The disk is full.
    #[error("the disk that holds the store is full")]
    Full,
    /// The system could not read or write the file.
    #[error("the disk that holds the store cannot be used: {0}")]
    Disk(String),
    /// What is on disk is not what was written.
    #[error("the store is damaged: {0}")]
    Damaged(String),
    /// Raw outcomes that are needed to cut the evidence are past their retention.
    #[error(
        "{agent} / {probe}: raw outcomes before {before} are past their retention, and this \
         question needs them"
    )]
    RawGone {
        /// Whose outcomes.
        agent: String,
        /// Of which probe.
        probe: String,
        /// The instant before which there are none.
        before: String,
    },
    /// An agent of this name is enrolled already.
    #[error("agent {0} is enrolled already; `rotate` gives it a new token")]
    AgentKnown(String),
    /// No agent of this name is enrolled.
    #[error("no agent {0} is enrolled")]
    AgentUnknown(String),
    /// Another edition of the month was published in the meantime.
    #[error("expected to publish edition {wanted} of {month}, but edition {next} is the next one")]
    EditionTaken {
        /// The month.
        month: String,
        /// The number that was to be published.
        wanted: u32,
        /// The number that comes next.
        next: u32,
    },
    /// A second or later edition came without a reason.
    #[error("edition {edition} of {month} replaces another and needs a reason")]
    ReasonMissing {
        /// The month.
        month: String,
        /// The edition.
        edition: u32,
    },
    /// The system gave no random numbers.
    #[error("the system gives no random numbers")]
    Random(#[source] getrandom::Error),
    /// The reader of an export went away.
    #[error("write the export")]
    Write(#[source] std::io::Error),
    /// More waits to be written than may.
    #[error("more waits to be written than the store can hold")]
    Busy,
    /// The store has shut down.
    #[error("the store has shut down")]
    Closed,
    /// A record from elsewhere could not be taken in; nothing was kept.
    #[error("the import was broken off; nothing of it was kept")]
    Abandoned,
    /// SQLite could not do it.
    #[error("store: {operation}")]
    Sql {
        /// What was being done.
        operation: &'static str,
        /// Why not.
        #[source]
        source: rusqlite::Error,
    },
}

impl StoreError {
    /// Wraps what SQLite says; `operation` is what was being done.
    pub(crate) fn sql(operation: &'static str) -> impl Fn(rusqlite::Error) -> Self {
        move |source| {
            use rusqlite::ErrorCode as Code;
            match source.sqlite_error_code() {
                Some(Code::DatabaseBusy | Code::DatabaseLocked) => Self::Locked,
                Some(Code::DiskFull) => Self::Full,
                Some(Code::SystemIoFailure) => Self::Disk(format!("{operation}: {source}")),
                Some(Code::DatabaseCorrupt | Code::NotADatabase) => {
                    Self::Damaged(format!("{operation}: {source}"))
                }
                _ => Self::Sql { operation, source },
            }
        }
    }

    /// Whether trying again later can help.
    #[must_use]
    pub const fn passes(&self) -> bool {
        matches!(self, Self::Locked | Self::Full | Self::Disk(_) | Self::Busy | Self::Closed)
    }

    /// The same failure for another of the bodies it hit.
    pub(crate) fn again(&self) -> Self {
        match self {
            Self::Locked => Self::Locked,
            Self::Full => Self::Full,
            Self::Disk(why) => Self::Disk(why.clone()),
            Self::Closed => Self::Closed,
            other => Self::Damaged(other.to_string()),
        }
    }
}
