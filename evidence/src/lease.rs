//! Sparing accounts, as agent and reporter both reckon it: the budget of a mailbox, and what an
//! agent asks and is told before it tries one. Pure: it knows no password, no protocol, and
//! neither who asks nor how the budget is kept.

mod budget;

use serde::{Deserialize, Serialize};

pub use budget::{Budget, MAX_CREDENTIALS, Refusal};

/// How long after a rejection the one confirmation may be made, in milliseconds.
pub const CONFIRM_AFTER_MS: i64 = 300_000;
/// The most rejections of a mailbox until somebody clears it or the account is taken again.
pub const MAX_REJECTIONS: u32 = 3;
/// How long an account counts as proven good, in milliseconds.
pub const PROVEN_MS: i64 = 86_400_000;
/// How long an attempt may be under way, in milliseconds; one that was not answered by then may
/// have been rejected, and counts so.
pub const ATTEMPT_MS: i64 = 90_000;
/// The most answers of one request.
pub const MAX_ANSWERS: usize = 32;
/// The longest name of an attempt, in bytes.
pub const MAX_ATTEMPT_BYTES: usize = 64;

/// What came of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Said {
    /// The service took the account.
    Accepted,
    /// The service refused it.
    Rejected,
    /// Neither: it was not shown, or no answer came.
    Nothing,
}

/// How an account stands: the closed list of the metric's label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AccountState {
    /// Accepted within a day, and not rejected since.
    Good,
    /// Not rejected, and not accepted within a day.
    Untried,
    /// Rejected; it will be tried again.
    Refused,
    /// Rejected too often: not tried until somebody clears it.
    Held,
}

impl AccountState {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Good, Self::Untried, Self::Refused, Self::Held];

    /// The word on the wire, in metrics and in the terminal.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Untried => "untried",
            Self::Refused => "refused",
            Self::Held => "held",
        }
    }
}

/// An attempt that has come to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// Its name, as it was given with the lease; an attempt without a lease is named by its
    /// agent.
    pub attempt: Box<str>,
    /// What came of it.
    pub said: Said,
    /// Whether there was a lease.
    pub leased: bool,
}

/// What an agent asks of the reporter, of one account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseAsk {
    /// The mailbox: SHA-256 of its user name, in hexadecimal. Credentials of the same name
    /// share a budget.
    pub mailbox: Box<str>,
    /// The credential's id in the agent's definition.
    pub credential: Box<str>,
    /// Whether the definition says that more than one agent may use it.
    pub shared: bool,
    /// Whether the account is to be tried; else this only tells.
    pub wants: bool,
    /// Somebody cleared the account at the agent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cleared: bool,
    /// What came of attempts since the last request, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub answers: Vec<Answered>,
}

/// Why a lease is not granted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum NoLease {
    /// As many try it now as may.
    Busy,
    /// It was rejected and is being spared.
    Held,
    /// It belongs to another agent.
    Elsewhere,
}

/// What the reporter answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseReply {
    /// The name of the attempt that may be made now; it is to be answered within
    /// [`ATTEMPT_MS`].
    pub attempt: Option<Box<str>>,
    /// Why there is none, where one was wanted.
    pub refused: Option<NoLease>,
    /// In how many seconds it is worth asking again.
    pub again_s: u32,
    /// How the account stands.
    pub state: AccountState,
    /// When somebody last cleared it, in milliseconds since the epoch; 0 for never.
    pub cleared_ms: i64,
}
