//! What deliveries tell beside their records, since this process began: how they ended, and
//! what still waits at each agent. What it means is left to metrics.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use mailward_evidence::{AgentName, Backlog};

use super::Refusal;

/// How deliveries ended, and what agents told with them. Only enrolled agents are noted.
#[derive(Debug, Default)]
pub struct Receipts(Mutex<Noted>);

/// What was noted at an instant.
#[derive(Clone, Debug, Default)]
pub struct Noted {
    /// How many deliveries ended in each way.
    pub ended: BTreeMap<&'static str, u64>,
    /// What each agent told last of its outbox.
    pub backlogs: BTreeMap<AgentName, Backlog>,
}

impl Receipts {
    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A delivery ended: taken in, or refused.
    pub(crate) fn ended(&self, refusal: Option<&Refusal>) {
        *self.lock().ended.entry(refusal.map_or("accepted", Refusal::label)).or_default() += 1;
    }

    /// An agent told of its outbox.
    pub(crate) fn told(&self, agent: &AgentName, backlog: Backlog) {
        self.lock().backlogs.insert(agent.clone(), backlog);
    }

    /// All of it.
    #[must_use]
    pub fn noted(&self) -> Noted {
        self.lock().clone()
    }
}

impl Refusal {
    /// Its word in metrics: a closed list, by what somebody would do about it.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Unauthorised => "unauthorised",
            Self::Forbidden { .. } => "forbidden",
            Self::Line(_) | Self::Encoding(_) | Self::UnknownEncoding(_) => "malformed",
            Self::Broken(_) | Self::Slow(_) => "broken_off",
            Self::TooLarge => "too_large",
            Self::TooMany | Self::TooOften | Self::Busy => "put_off",
            Self::Store(_) => "not_stored",
        }
    }
}
