//! What a probe is: it observes once, within a deadline, and says what it saw. The registry of
//! kinds stands here, written by hand. When a probe runs, whether a run counts, and whether the
//! agent itself was fit to judge, is left to others.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use mailward_catalogue::{Probe, Secret};
use mailward_evidence::record::Pairs;
use mailward_evidence::{Exhibit, Listing, Reason, Verdict};
use regex::bytes::Regex;

use crate::devices::Devices;
pub use crate::net::Deadline;
use crate::net::oauth::{NoToken, Tokens};
use crate::net::sasl::{Login, Proof};
use crate::net::tls::Identity;
use crate::net::{Access, Fault, Net, Security, Trace, clean};
use crate::post::Post;
use crate::turn::Turn;

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
    /// What was met, for operators; nothing of it is kept where the verdict is up.
    pub exhibit: Option<Box<Exhibit>>,
    /// Whether what came of it will be told later: a message is under way.
    pub is_under_way: bool,
}

impl Seen {
    fn new(verdict: Verdict, reason: Option<Reason>) -> Self {
        Self {
            verdict,
            reason,
            phases: Pairs::default(),
            facts: Pairs::default(),
            listings: Vec::new(),
            exhibit: None,
            is_under_way: false,
        }
    }

    /// It went well so far, and what came of it will be told later.
    #[must_use]
    pub fn under_way() -> Self {
        Self { is_under_way: true, ..Self::up() }
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

    /// The same with a fact, cleaned and cut.
    #[must_use]
    pub(crate) fn noting(mut self, name: &str, value: &str) -> Self {
        self.facts.set(name, clean(value, 1000));
        self
    }

    /// Adds the phases and facts of `trace`, and, unless it is up, what the trace kept for
    /// operators; a fact that is there already stays.
    #[must_use]
    pub fn with(mut self, mut trace: Trace) -> Self {
        if self.verdict != Verdict::Up {
            self.exhibit = self.exhibit.or(trace.take_exhibit());
        }
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
    /// Which run of the probe it is.
    pub turn: Turn,
    /// The agent's mail under way; a probe that sends any cannot run without it.
    pub post: Option<&'a Post>,
    /// What the agent is to ActiveSync servers.
    pub devices: &'a Devices,
}

/// Accounts that probes log on with, and the memory of what became of them.
pub trait Accounts: Send + Sync {
    /// The account, if it may be tried now. It may take up to two seconds, and no longer than
    /// the deadline, to ask whether it may.
    ///
    /// # Errors
    /// [`Reason::CredentialHeld`] when it is being spared after a rejection,
    /// [`Reason::CredentialMissing`] when its secret could not be read.
    fn account<'a>(
        &'a self,
        credential_id: &'a str,
        deadline: Deadline,
    ) -> BoxFuture<'a, Result<Account, Reason>>;

    /// The service took the account.
    fn accepted(&self, credential_id: &str);

    /// The service refused the account.
    fn rejected(&self, credential_id: &str);

    /// The attempt came to an answer that says nothing of the account, or to none; one that is
    /// told nothing learns it when the run ends.
    fn undecided(&self, credential_id: &str) {
        let _ = credential_id;
    }

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
    /// What proves it.
    pub key: AccountKey,
    /// What it shows when a connection is encrypted, where it has that.
    pub identity: Option<Identity>,
}

/// What proves an account.
#[derive(Clone, Debug)]
pub enum AccountKey {
    /// A password.
    Password(Secret),
    /// Access tokens, fetched when they are needed.
    Tokens(Arc<Tokens>),
    /// Its certificate alone.
    Certificate,
}

impl Account {
    /// An account with a password.
    #[must_use]
    pub const fn with_password(username: String, password: Secret) -> Self {
        Self { username, key: AccountKey::Password(password), identity: None }
    }

    /// Its password, for a protocol that knows nothing else.
    ///
    /// # Errors
    /// When it has none; a definition with such an account is refused.
    pub fn password(&self) -> Result<&Secret, Fault> {
        match &self.key {
            AccountKey::Password(password) => Ok(password),
            AccountKey::Tokens(_) | AccountKey::Certificate => {
                let detail = "expected an account with a password, got one without";
                Err(Fault::new(Reason::ProbeFault, detail))
            }
        }
    }

    /// What a mail server is shown; a token is fetched first if need be. Phase `token`.
    ///
    /// # Errors
    /// When no token is to be had.
    pub async fn login(
        &self,
        net: &Net,
        deadline: Deadline,
        trace: &mut Trace,
    ) -> Result<Login, NoToken> {
        let proof = match &self.key {
            AccountKey::Password(password) => Proof::Password(password.clone()),
            AccountKey::Tokens(tokens) => {
                let token = tokens.get(net, deadline, trace).await?;
                trace.hide(&token);
                Proof::Token(token)
            }
            AccountKey::Certificate => Proof::Certificate,
        };
        Ok(Login { username: self.username.clone(), proof, identity: self.identity.clone() })
    }

    /// Whether it shows tokens that are the client's own and stand for no mailbox.
    #[must_use]
    pub fn is_of_client(&self) -> bool {
        matches!(&self.key, AccountKey::Tokens(tokens) if tokens.are_the_clients())
    }

    /// A server did not take what it was shown: a token is not shown again.
    pub async fn spoil(&self, login: &Login) {
        if let (AccountKey::Tokens(tokens), Proof::Token(token)) = (&self.key, &login.proof) {
            tokens.spoil(token).await;
        }
    }
}

/// Why a conversation did not come to the declared step.
#[derive(Debug)]
pub(crate) enum Ended {
    /// By something below the protocol, or not the protocol at all.
    Fault(Fault),
    /// By what the server said.
    Judged(Seen),
}

impl Ended {
    pub(crate) fn into_seen(self) -> Seen {
        match self {
            Self::Fault(fault) => Seen::fault(&fault),
            Self::Judged(seen) => seen,
        }
    }
}

impl From<Fault> for Ended {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
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

/// The server of a probe by its keys `host`, `port` and `tls`; `ports` with implicit TLS and
/// without stand for a port that is not declared.
fn access(probe: &Probe, tls: &str, ports: (u16, u16)) -> Result<Access, BuildError> {
    let settings = &probe.settings;
    let host = settings.text("host");
    let host = host.ok_or_else(|| BuildError::key(probe, "host", "expected a server, got none"))?;
    let word = settings.text("tls").unwrap_or(tls);
    let security = Security::read(word)
        .ok_or_else(|| BuildError::key(probe, "tls", format!("{word:?} is not known")))?;
    let port = if security == Security::Implicit { ports.0 } else { ports.1 };
    let port = settings.port("port").unwrap_or(port);
    Ok(Access { host: host.to_owned(), port, security })
}

/// The regular expression `text` of a key, for bytes of a server.
fn pattern(probe: &Probe, key: &'static str, text: &str) -> Result<Regex, BuildError> {
    let built = regex::bytes::RegexBuilder::new(text)
        .size_limit(1 << 20)
        // a thousand probes with a pattern each must fit a small machine
        .dfa_size_limit(256 << 10)
        .build();
    built.map_err(|error| BuildError::key(probe, key, error.to_string()))
}

pub(crate) mod autodiscover;
pub(crate) mod command;
mod dns;
mod dnsbl;
mod domain;
mod door;
mod each;
mod eas;
pub(crate) mod entry;
mod ews;
pub(crate) mod exchange_health;
mod graph;
mod http;
pub(crate) mod icmp;
mod imap;
mod mail;
pub(crate) mod mapi;
pub(crate) mod owa;
mod pop3;
pub(crate) mod sign_in;
pub(crate) mod sip;
mod smtp;
mod spoof;
mod tcp;
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
    ("autodiscover", autodiscover::build),
    ("mapi", mapi::build),
    ("ews", ews::build),
    ("graph", graph::build),
    ("smtp", smtp::build),
    ("tls", tls::build),
    ("dns", dns::build),
    ("dnsbl", dnsbl::build),
    ("domain", domain::build),
    ("spoof", spoof::build),
    ("imap", imap::build),
    ("pop3", pop3::build),
    ("mail", mail::build),
    ("tcp", tcp::build),
    ("icmp", icmp::build),
    ("sip", sip::build),
    ("command", command::build),
];

/// What a step of `http` takes out of a body: see [`crate::foreign`].
pub(crate) fn http_capture(bytes: &[u8]) {
    http::capture::drive(bytes);
}

/// Makes a declared probe ready to run.
///
/// # Errors
/// When its kind is not in the registry, or a key cannot be used.
pub fn build(probe: &Probe, net: &Arc<Net>) -> Result<Box<dyn Observe>, BuildError> {
    let name = probe.kind.name;
    let Some((_, build)) = REGISTRY.iter().find(|(kind, _)| *kind == name) else {
        return Err(BuildError::Kind { probe: probe.id.clone(), kind: name });
    };
    each::build(probe, net, *build)
}
