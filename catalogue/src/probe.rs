//! Probes as declared. The keys of each kind stand in one table (`kinds`), from which
//! reading, advice and the JSON schema all follow. How a kind is run is the agent's.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::fault::Gravity;

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
    /// Its own keys.
    pub keys: &'static [Key],
    /// Keys that are reserved for it and that this version cannot act on.
    pub later: &'static [&'static str],
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

/// A key of a kind.
#[derive(Debug)]
pub struct Key {
    /// The word in probes.toml.
    pub name: &'static str,
    /// What its value must be.
    pub shape: Shape,
    /// Whether it must be there.
    pub required: bool,
    /// What stands for it where it is absent, as probes.toml would have it. It is read like any
    /// other value, so a getter of [`Settings`] gives it.
    pub default: Option<&'static str>,
    /// Words that are reserved for it and that this version cannot act on.
    pub later: &'static [&'static str],
    /// What it is for, for schema and docs.
    pub about: &'static str,
}

impl Key {
    /// A key that must be there.
    #[must_use]
    pub const fn required(name: &'static str, shape: Shape, about: &'static str) -> Self {
        Self {
            name,
            shape,
            required: true,
            default: None,
            later: &[],
            about,
        }
    }

    /// A key that may be absent.
    #[must_use]
    pub const fn optional(name: &'static str, shape: Shape, about: &'static str) -> Self {
        Self {
            name,
            shape,
            required: false,
            default: None,
            later: &[],
            about,
        }
    }

    /// The same key with a default, as probes.toml would have it.
    #[must_use]
    pub const fn or(self, default: &'static str) -> Self {
        Self {
            default: Some(default),
            ..self
        }
    }

    /// The same key with words that are reserved for it.
    #[must_use]
    pub const fn later(self, later: &'static [&'static str]) -> Self {
        Self { later, ..self }
    }
}

/// What a key's value must be.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Any text that is not empty.
    Text,
    /// An absolute http or https URL.
    Url,
    /// A host name or an IP address.
    Host,
    /// 1 to 65535.
    Port,
    /// A whole number in this range.
    Integer(i64, i64),
    /// true or false.
    Bool,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A duration.
    Duration,
    /// A regular expression (of the `regex` crate), unanchored.
    Pattern,
    /// A DNS name.
    Name,
    /// `IP` or `IP:PORT` of a resolver.
    Resolver,
    /// A list of texts.
    Texts,
    /// A list of IP addresses.
    Addresses,
    /// A list of DNS names.
    Names,
    /// One of these words, or a list of them.
    Words(&'static [&'static str]),
    /// A status such as 200, or a list of statuses and ranges such as "2xx".
    Statuses,
    /// A table of text to text.
    Table,
    /// A table of HTTP header names to values.
    Headers,
    /// A mail address.
    Mailbox,
    /// A mail address, or empty for the null sender.
    Sender,
}

/// A validated value of a key.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Text, Url, Host, Word, Pattern, Name, Mailbox, Sender.
    Text(String),
    /// Port, Integer.
    Integer(i64),
    /// Bool.
    Bool(bool),
    /// Duration.
    Duration(Duration),
    /// Resolver; the port is 53 where none is given.
    Socket(SocketAddr),
    /// Texts, Names, Words.
    Texts(Vec<String>),
    /// Addresses.
    Addresses(Vec<IpAddr>),
    /// Statuses as inclusive ranges.
    Statuses(Vec<(u16, u16)>),
    /// Table, Headers.
    Table(BTreeMap<String, String>),
}

/// The validated keys of one probe. A getter for a key that is absent gives `None` or empty.
#[derive(Clone, Debug, Default)]
pub struct Settings(pub BTreeMap<&'static str, Value>);

impl Settings {
    /// A text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        match self.0.get(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// A whole number.
    #[must_use]
    pub fn integer(&self, key: &str) -> Option<i64> {
        match self.0.get(key) {
            Some(Value::Integer(n)) => Some(*n),
            _ => None,
        }
    }

    /// A port.
    #[must_use]
    pub fn port(&self, key: &str) -> Option<u16> {
        self.integer(key).and_then(|n| u16::try_from(n).ok())
    }

    /// true or false.
    #[must_use]
    pub fn bool(&self, key: &str) -> Option<bool> {
        match self.0.get(key) {
            Some(Value::Bool(b)) => Some(*b),
            _ => None,
        }
    }

    /// A duration.
    #[must_use]
    pub fn duration(&self, key: &str) -> Option<Duration> {
        match self.0.get(key) {
            Some(Value::Duration(d)) => Some(*d),
            _ => None,
        }
    }

    /// A socket address.
    #[must_use]
    pub fn socket(&self, key: &str) -> Option<SocketAddr> {
        match self.0.get(key) {
            Some(Value::Socket(a)) => Some(*a),
            _ => None,
        }
    }

    /// A list of texts.
    #[must_use]
    pub fn texts(&self, key: &str) -> &[String] {
        match self.0.get(key) {
            Some(Value::Texts(list)) => list,
            _ => &[],
        }
    }

    /// A list of addresses.
    #[must_use]
    pub fn addresses(&self, key: &str) -> &[IpAddr] {
        match self.0.get(key) {
            Some(Value::Addresses(list)) => list,
            _ => &[],
        }
    }

    /// A list of inclusive status ranges.
    #[must_use]
    pub fn statuses(&self, key: &str) -> &[(u16, u16)] {
        match self.0.get(key) {
            Some(Value::Statuses(list)) => list,
            _ => &[],
        }
    }

    /// A table of texts.
    pub fn table(&self, key: &str) -> impl Iterator<Item = (&str, &str)> {
        let table = match self.0.get(key) {
            Some(Value::Table(table)) => Some(table),
            _ => None,
        };
        table
            .into_iter()
            .flatten()
            .map(|(k, v)| (k.as_str(), v.as_str()))
    }
}
