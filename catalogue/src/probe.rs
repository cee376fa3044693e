//! Probes as declared. The keys of each kind stand in one table (`kinds`), from which
//! reading, advice and the JSON schema all follow. How a kind is run is the agent's.

use std::time::Duration;

use crate::fault::Gravity;
pub use crate::key::{Key, Settings, Shape, Value};

pub mod kinds;

/// `[[probe]]`
#[derive(Clone, Debug)]
pub struct Probe {
    /// Its id.
    pub id: String,
    /// The component it speaks for.
    pub component: String,
    /// What it does.
    pub kind: &'static Kind,
    /// When it runs.
    pub schedule: Schedule,
    /// Interval after a failure and while down.
    pub retry_every: Duration,
    /// Consecutive failures before it counts, 1 or more.
    pub confirm: u32,
    /// Deadline of one run.
    pub timeout: Duration,
    /// Slower than this is degraded.
    pub slow: Option<Duration>,
    /// Whether its failures count as downtime.
    pub effect: Effect,
    /// The sites whose agents run it; empty for all.
    pub sites: Vec<String>,
    /// Ids of the credentials, in the order they are tried; at most two.
    pub credentials: Vec<String>,
    /// The keys of its kind.
    pub settings: Settings,
    /// Line of the declaration, for messages.
    pub line: usize,
}

impl Probe {
    /// Whether an agent at `site` runs it.
    #[must_use]
    pub fn runs_at(&self, site: &str) -> bool {
        self.sites.is_empty() || self.sites.iter().any(|s| s == site)
    }

    /// Whether a run of it is the same as one of `other`, whatever else is declared of them.
    #[must_use]
    pub fn runs_like(&self, other: &Self) -> bool {
        let asks = |p: &Self| (p.kind.name, p.timeout, p.slow);
        self.id == other.id
            && asks(self) == asks(other)
            && self.credentials == other.credentials
            && self.settings == other.settings
    }

    /// The ids of all credentials it uses, those in tables of its own included.
    pub fn accounts(&self) -> impl Iterator<Item = &str> {
        let of_groups = self.settings.groups().flat_map(|(_, keys)| keys.texts("credential"));
        self.credentials.iter().chain(of_groups).map(String::as_str)
    }

    /// How deep a run goes, for readers of page and report: completes "it is probed …", as in
    /// "to the sign-in page". It follows from the definition alone.
    #[must_use]
    pub fn depth(&self) -> &'static str {
        (self.kind.depth)(self)
    }

    /// Seconds between scheduled runs as the roster has it: `None` for a cron.
    #[must_use]
    pub fn every_s(&self) -> Option<u64> {
        match self.schedule {
            Schedule::Every(every) => Some(every.as_secs()),
            Schedule::Cron(_) => None,
        }
    }
}

/// When a probe runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schedule {
    /// At a fixed interval, in whole seconds.
    Every(Duration),
    /// On a cron with seconds, in the service's zone.
    Cron(String),
}

/// Whether a probe's failures count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// They are downtime.
    Availability,
    /// They are told, and never downtime.
    Advisory,
}

/// A probe kind: its name and its own keys.
#[derive(Debug)]
pub struct Kind {
    /// The word in probes.toml and in metrics.
    pub name: &'static str,
    /// One line on what it does.
    pub about: &'static str,
    /// The effect where none is declared.
    pub effect: Effect,
    /// The deadline where none is declared.
    pub timeout: Duration,
    /// Whether it takes `credential`.
    pub credential: Wants,
    /// Whether it can log on with an access token instead of a password.
    pub tokens: bool,
    /// Whether it can log on with a password.
    pub passwords: bool,
    /// Whether it can show a client certificate.
    pub certificates: bool,
    /// Its own keys.
    pub keys: &'static [Key],
    /// Keys that are reserved for it and that this version cannot act on.
    pub later: &'static [&'static str],
    /// How deep a run of a probe goes; see [`Probe::depth`].
    pub depth: fn(&Probe) -> &'static str,
    /// Rules that span its keys; also fills in defaults that depend on other keys.
    pub settle: fn(&mut Settings, &Declared) -> Vec<Advice>,
}

/// What [`Kind::settle`] may know of the probe beside its own keys.
#[derive(Clone, Copy, Debug)]
pub struct Declared {
    /// Whether the probe names a credential.
    pub credential: bool,
}

/// What [`Kind::settle`] found wrong with a probe's keys as a whole.
#[derive(Clone, Debug)]
pub struct Advice {
    /// Refused or surprising.
    pub gravity: Gravity,
    /// The key to point at; the probe's `kind` where this one was not written.
    pub key: &'static str,
    /// What was expected and what was found.
    pub message: String,
}

/// Whether a kind takes a credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// It has no use for one.
    Never,
    /// It takes one if given.
    Optional,
    /// It needs one.
    Required,
}
