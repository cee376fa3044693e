//! What a probe is: it observes once, within a deadline, and says what it saw. The registry of
//! kinds stands here, written by hand. When a probe runs, whether a run counts, and whether the
//! agent itself was fit to judge, is left to others.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use mailward_catalogue::{Catalogue, Probe, Secret};
use mailward_evidence::record::Pairs;
use mailward_evidence::{Listing, Reason, Verdict};

pub use crate::net::Deadline;
use crate::net::{Fault, Net, Trace};

/// What one run saw. How long it took is measured by whoever ran it; so is `slow`.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// What it says about the service.
    pub verdict: Verdict,
    /// Why, where the verdict is not plainly up.
    pub reason: Option<Reason>,
    /// Phase → milliseconds.
    pub phases: Pairs<f64>,
    /// Fact → value. Never a secret.
    pub facts: Pairs<Box<str>>,
    /// What is listed where; sorted.
    pub listings: Vec<Listing>,
}

impl Seen {
    fn new(verdict: Verdict, reason: Option<Reason>) -> Self {
        Self {
            verdict,
            reason,
            phases: Pairs::default(),
            facts: Pairs::default(),
            listings: Vec::new(),
        }
    }

    /// It works.
    #[must_use]
    pub fn up() -> Self {
        Self::new(Verdict::Up, None)
    }

    /// It works, but not as it should.
    #[must_use]
    pub fn degraded(reason: Reason) -> Self {
        Self::new(Verdict::Degraded, Some(reason))
    }

    /// It does not work.
    #[must_use]
    pub fn down(reason: Reason) -> Self {
        Self::new(Verdict::Down, Some(reason))
    }

    /// The run could not tell.
    #[must_use]
    pub fn unknown(reason: Reason) -> Self {
        Self::new(Verdict::Unknown, Some(reason))
    }

    /// What a fault below the protocol says: the service is down, unless the fault is our own.
    #[must_use]
    pub fn fault(fault: &Fault) -> Self {
        let mut seen = if fault.is_ours() {
            Self::unknown(fault.reason.clone())
        } else {
            Self::down(fault.reason.clone())
        };
        if !fault.detail.is_empty() {
            seen.facts.set("detail", fault.detail.clone());
        }
        seen
    }

    /// Adds the phases and facts of `trace`; a fact that is there already stays.
    #[must_use]
    pub fn with(mut self, trace: Trace) -> Self {
        let (phases, mut facts) = trace.into_parts();
        for (key, value) in self.facts.iter() {
            facts.set(key, value.clone());
        }
        self.phases = phases;
        self.facts = facts;
        self
    }
}

/// A probe, ready to run as often as it is asked to.
pub trait Observe: Send + Sync + 'static {
    /// Looks once. Bad news is in what was seen; there is no error. It returns by the deadline.
    fn observe<'a>(&'a self, cx: &'a Context<'a>) -> BoxFuture<'a, Seen>;

    /// The host it talks to, for limits per host.
    fn host_key(&self) -> &str;
}

/// What a run may use.
pub struct Context<'a> {
    /// When the run must be over. Every phase is bounded by it.
    pub deadline: Deadline,
    /// The accounts, and what is known of them.
    pub accounts: &'a dyn Accounts,
}

/// Accounts that probes log on with, and the memory of what became of them.
pub trait Accounts: Send + Sync {
    /// The account, if it may be tried now.
    ///
    /// # Errors
    /// [`Reason::CredentialHeld`] when it is being spared after a rejection,
    /// [`Reason::CredentialMissing`] when its secret could not be read.
    fn account(&self, credential_id: &str) -> Result<Account, Reason>;

    /// The service took the account.
    fn accepted(&self, credential_id: &str);

    /// The service refused the account.
    fn rejected(&self, credential_id: &str);

    /// Whether the service is known to have taken the account within the last 24 hours. One
    /// that cannot say says no.
    fn proven(&self, credential_id: &str) -> bool {
        let _ = credential_id;
        false
    }
}

/// An account to log on with.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its name.
    pub username: String,
    /// Its password.
    pub password: Secret,
}

/// Why a declared probe cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// The kind has no entry in the registry.
    #[error("probe {probe}: this agent does not know the kind {kind}")]
    Kind {
        /// Which probe.
        probe: String,
        /// Its kind.
        kind: &'static str,
    },
    /// A key is missing or has a value that cannot be used.
    #[error("probe {probe}: {key}: {problem}")]
    Key {
        /// Which probe.
        probe: String,
        /// Which key.
        key: &'static str,
        /// What was expected and what was found.
        problem: String,
    },
}

impl BuildError {
    pub(crate) fn key(probe: &Probe, key: &'static str, problem: impl Into<String>) -> Self {
        Self::Key { probe: probe.id.clone(), key, problem: problem.into() }
    }
}

mod dns;
mod dnsbl;
mod domain;
mod eas;
mod exchange_health;
mod http;
mod owa;
mod sign_in;
mod smtp;
mod tls;
#[cfg(test)]
mod trial;
mod web;

type Build = fn(&Probe, &Arc<Net>) -> Result<Box<dyn Observe>, BuildError>;

/// Every kind of this agent: its name in probes.toml, and how it is built.
const REGISTRY: &[(&str, Build)] = &[
    ("http", http::build),
    ("exchange-health", exchange_health::build),
    ("owa", owa::build),
    ("eas", eas::build),
    ("smtp", smtp::build),
    ("tls", tls::build),
    ("dns", dns::build),
    ("dnsbl", dnsbl::build),
    ("domain", domain::build),
];

/// Makes a declared probe ready to run.
///
/// # Errors
/// When its kind is not in the registry, or a key cannot be used.
pub fn build(
    probe: &Probe,
    catalogue: &Catalogue,
    net: &Arc<Net>,
) -> Result<Box<dyn Observe>, BuildError> {
    let _ = catalogue;
    let name = probe.kind.name;
    let Some((_, build)) = REGISTRY.iter().find(|(kind, _)| *kind == name) else {
        return Err(BuildError::Kind { probe: probe.id.clone(), kind: name });
    };
    build(probe, net)
}
