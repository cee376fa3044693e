//! The way to a server: names to addresses, addresses to connections, TLS on top, and how long
//! each phase took. It says what went wrong; what that means for the service is the probes'.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use mailward_evidence::{Clock, Reason, SystemClock};
use tokio::time::Instant;

pub mod cookies;
pub mod dane;
pub mod dial;
pub mod dns;
pub mod dnssec;
mod egress;
pub mod escapes;
pub mod http;
pub mod imap;
pub mod names;
pub mod oauth;
pub mod pop3;
pub mod redact;
pub mod resolve;
pub mod sasl;
pub mod smtp;
pub mod stream;
#[cfg(test)]
pub(crate) mod testing;
pub mod tls;
mod trace;
pub mod xml;

pub use stream::Stream;
pub use trace::Trace;

/// What all probes of an agent share: resolver, roots of trust, TLS settings, clock.
#[derive(Clone)]
pub struct Net {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) resolver: Arc<resolve::Resolver>,
    /// A host that has one address only, whatever the DNS says.
    pinned: Option<(Box<str>, IpAddr)>,
    pub(crate) tls: tls::Tls,
    egress: Arc<egress::Egress>,
}

/// Why the shared parts could not be made.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The file of further authorities could not be read.
    #[error("read trusted certificates from {path}")]
    Trust {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: rustls::pki_types::pem::Error,
    },
    /// The file of further authorities holds none.
    #[error("expected PEM certificates in {0}, found none that can be used")]
    TrustEmpty(PathBuf),
    /// The resolver could not be set up.
    #[error("set up the resolver: {0}")]
    Resolver(String),
    /// TLS could not be set up.
    #[error("set up TLS: {0}")]
    Tls(String),
}

impl Net {
    /// Sets the shared parts up: `trust` is a PEM file of authorities trusted beside the
    /// system's, `resolver` is asked instead of the system's.
    ///
    /// # Errors
    /// When `trust` cannot be read or holds no certificate, or TLS cannot be set up.
    pub fn new(trust: Option<&Path>, resolver: Option<SocketAddr>) -> Result<Self, NetError> {
        Ok(Self {
            clock: Arc::new(SystemClock),
            resolver: Arc::new(resolve::Resolver::new(resolver)?),
            pinned: None,
            tls: tls::Tls::new(trust)?,
            egress: Arc::default(),
        })
    }
}

impl Net {
    /// The same, asking another resolver.
    ///
    /// # Errors
    /// When the resolver cannot be set up.
    pub fn asking(&self, resolver: SocketAddr) -> Result<Self, NetError> {
        Ok(Self {
            clock: self.clock.clone(),
            resolver: Arc::new(resolve::Resolver::new(Some(resolver))?),
            pinned: self.pinned.clone(),
            tls: self.tls.clone(),
            egress: self.egress.clone(),
        })
    }

    /// The same, with `address` as the only one of `host`; certificates and requests still bear
    /// the host's name.
    #[must_use]
    pub fn pinned(&self, host: &str, address: IpAddr) -> Self {
        Self {
            clock: self.clock.clone(),
            resolver: Arc::clone(&self.resolver),
            pinned: Some((Box::from(host), address)),
            tls: self.tls.clone(),
            egress: self.egress.clone(),
        }
    }
}

impl std::fmt::Debug for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Net").finish_non_exhaustive()
    }
}

/// A server, and how a connection to it is encrypted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Its name or address; a certificate must be for it.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub security: Security,
}

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Not at all.
    None,
    /// By a command of the protocol.
    StartTls,
    /// From the first byte.
    Implicit,
}

impl Security {
    /// Reads the word of probes.toml.
    #[must_use]
    pub fn read(word: &str) -> Option<Self> {
        match word {
            "none" => Some(Self::None),
            "starttls" => Some(Self::StartTls),
            "implicit" => Some(Self::Implicit),
            _ => None,
        }
    }
}

/// When a run must be over.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// So long from now.
    #[must_use]
    pub fn after(span: Duration) -> Self {
        let now = Instant::now();
        Self(now.checked_add(span).unwrap_or(now))
    }

    /// The instant itself.
    #[must_use]
    pub const fn at(self) -> Instant {
        self.0
    }

    /// What is left of it.
    #[must_use]
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// The earlier of this one and `span` from now.
    #[must_use]
    pub fn within(self, span: Duration) -> Self {
        Self(self.0.min(Self::after(span).0))
    }

    /// Runs `work` until the deadline; `None` when it was not done by then.
    pub async fn bound<F: Future>(self, work: F) -> Option<F::Output> {
        tokio::time::timeout_at(self.0, work).await.ok()
    }
}

/// What went wrong on the way, as a reason and a sentence for operators.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {detail}")]
pub struct Fault {
    /// The reason.
    pub reason: Reason,
    /// For operators; never a secret, at most a few hundred bytes.
    pub detail: Box<str>,
}

impl Fault {
    /// A fault with a sentence.
    #[must_use]
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: clean(&detail.into(), 300) }
    }

    /// What an error of a connection means: `doing` completes "while …".
    #[must_use]
    pub fn io(error: &std::io::Error, doing: &str) -> Self {
        let of_tls = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>());
        let reason = match (error.kind(), of_tls) {
            // an alert or a broken record; with TLS 1.3 a refusal comes after the handshake
            (_, Some(error)) => tls::reason_of(error),
            (kind, None) => Self::kind(kind),
        };
        let said = error.to_string();
        // rustls adds where its manual speaks of it
        let said = said.split_once(": https://").map_or(said.as_str(), |(said, _)| said);
        Self::new(reason, format!("while {doing}: {said}"))
    }

    fn kind(kind: std::io::ErrorKind) -> Reason {
        use std::io::ErrorKind as Kind;
        match kind {
            Kind::ConnectionRefused => Reason::ConnectRefused,
            Kind::TimedOut => Reason::ConnectTimeout,
            Kind::HostUnreachable | Kind::NetworkUnreachable | Kind::NetworkDown => {
                Reason::Unreachable
            }
            Kind::ConnectionReset
            | Kind::ConnectionAborted
            | Kind::BrokenPipe
            | Kind::NotConnected
            | Kind::UnexpectedEof => Reason::ConnectionLost,
            // the kernel's own packet filter answers a blocked way out with EPERM
            Kind::PermissionDenied => Reason::EgressBlocked,
            // no descriptor, no memory, no source address: nothing the service has done
            _ => Reason::ProbeFault,
        }
    }

    /// No answer by the deadline: `doing` completes "while …".
    #[must_use]
    pub fn timeout(doing: &str) -> Self {
        Self::new(Reason::Timeout, format!("no answer in time while {doing}"))
    }

    /// Whether the fault is the agent's, or its account's, and not the service's.
    #[must_use]
    pub const fn is_ours(&self) -> bool {
        matches!(
            self.reason,
            Reason::ProbeFault
                | Reason::EgressBlocked
                | Reason::Credential
                | Reason::LogonUnsupported
        )
    }
}

/// What is said of a server that sent more than its answer to STARTTLS before the handshake.
fn injected(trace: &mut Trace) -> Fault {
    trace.fact("injection", "the server sent more after its answer to STARTTLS");
    let detail = "expected nothing between the answer to STARTTLS and the handshake";
    Fault::new(Reason::ProtocolError, detail)
}

/// `text` without control characters and cut to `limit` bytes, for facts and details.
#[must_use]
pub fn clean(text: &str, limit: usize) -> Box<str> {
    let mut out = String::with_capacity(text.len().min(limit));
    for c in text.chars() {
        let c = if c.is_control() { ' ' } else { c };
        if out.len() + c.len_utf8() > limit {
            break;
        }
        out.push(c);
    }
    out.trim().into()
}
